//! Variables of the OS environment that win over what was written.

use std::collections::BTreeMap;

use crate::environment::Environment;
use crate::model::mask;
use crate::model::status::Shadow;

/// The managed names whose value in this environment differs from what stands in the go env
/// file (`None`: no line), credentials aside. An empty one does not win: go takes it for unset.
pub fn shadows(env: &Environment, written: &BTreeMap<String, Option<String>>) -> Vec<Shadow> {
    written
        .iter()
        .filter_map(|(name, written)| {
            let value = mask(env.get(name)?);
            let written = written.as_deref().map(mask);
            (written.as_deref() != Some(value.as_str())).then(|| Shadow {
                name: name.clone(),
                value,
                written,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Environment, shadows};

    #[test]
    fn only_what_is_set_and_different_shadows() {
        let env: Environment = [
            ("GOPROXY", "https://joe:s3cret@h"),
            ("GOSUMDB", ""),
            ("GOPRIVATE", "a"),
            ("GOFLAGS", "-mod=mod"),
        ]
        .into_iter()
        .collect();
        let written = [
            ("GOPROXY".to_owned(), Some("https://bob:pass@h".to_owned())),
            ("GOSUMDB".to_owned(), Some("off".to_owned())),
            ("GOPRIVATE".to_owned(), Some("a".to_owned())),
            ("GOFLAGS".to_owned(), None),
        ];
        let found = shadows(&env, &written.into_iter().collect());
        let names: Vec<&str> = found.iter().map(|shadow| shadow.name.as_str()).collect();
        assert_eq!(names, ["GOFLAGS", "GOPROXY"]);
        assert_eq!(found[1].value, "https://joe:***@h");
        assert_eq!(found[1].written.as_deref(), Some("https://bob:***@h"));
    }
}
