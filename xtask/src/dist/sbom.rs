//! The machine-readable list of the program's components: CycloneDX 1.6 in JSON.

use std::process::Command;

use crate::run::{self, Result};

use super::crates::Crate;
use super::release::{REPOSITORY, Release};
use super::tree;

/// Makes the document. Its serial number is derived from its content, its time is the commit's.
pub fn cyclonedx(release: &Release, target: &str, crates: &[Crate]) -> Result<String> {
    let rustc = run::output(Command::new("rustc").arg("--version"))?;
    let rustc = rustc.split(' ').nth(1).unwrap_or_default().to_owned();
    let (own, others) = crates.split_first().ok_or("no crates")?;
    let standard = std_of(&rustc);
    let mut components: Vec<String> = others.iter().map(component).collect();
    components.push(standard);
    let mut dependencies: Vec<String> = crates.iter().map(dependency).collect();
    dependencies.push(format!("    {{ \"ref\": {} }}", string(&std_purl(&rustc))));
    let body = format!(
        "  \"metadata\": {{\n    \"timestamp\": {time},\n    \"component\": {{\n      \
         \"type\": \"application\",\n      \"bom-ref\": {own_ref},\n      \"name\": \"goroam\",\n      \
         \"version\": {version},\n      \"purl\": {own_ref},\n      \
         \"licenses\": [{{ \"expression\": {licence} }}],\n      \
         \"externalReferences\": [{{ \"type\": \"vcs\", \"url\": {repository} }}]\n    }},\n    \
         \"properties\": [\n      {{ \"name\": \"goroam:target\", \"value\": {target} }},\n      \
         {{ \"name\": \"goroam:commit\", \"value\": {commit} }}\n    ]\n  }},\n  \
         \"components\": [\n{components}\n  ],\n  \"dependencies\": [\n{dependencies}\n  ]\n",
        time = string(&release.date("%Y-%m-%dT%H:%M:%SZ")?),
        own_ref = string(&purl(own)),
        version = string(&release.version),
        licence = string(&own.licence),
        repository = string(REPOSITORY),
        target = string(target),
        commit = string(&release.commit),
        components = components.join(",\n"),
        dependencies = dependencies.join(",\n"),
    );
    let serial = uuid(&tree::sha256(body.as_bytes())?);
    Ok(format!(
        "{{\n  \"bomFormat\": \"CycloneDX\",\n  \"specVersion\": \"1.6\",\n  \
         \"serialNumber\": \"urn:uuid:{serial}\",\n  \"version\": 1,\n{body}}}\n"
    ))
}

fn component(each: &Crate) -> String {
    let mut fields = vec![
        "\"type\": \"library\"".to_owned(),
        format!("\"bom-ref\": {}", string(&purl(each))),
        format!("\"name\": {}", string(&each.name)),
        format!("\"version\": {}", string(&each.version)),
        format!("\"purl\": {}", string(&purl(each))),
        format!(
            "\"licenses\": [{{ \"expression\": {} }}]",
            string(&each.licence)
        ),
    ];
    if let Some(sum) = &each.sha256 {
        fields.push(format!(
            "\"hashes\": [{{ \"alg\": \"SHA-256\", \"content\": {} }}]",
            string(sum)
        ));
    }
    if !each.repository.is_empty() {
        fields.push(format!(
            "\"externalReferences\": [{{ \"type\": \"vcs\", \"url\": {} }}]",
            string(&each.repository)
        ));
    }
    format!("    {{\n      {}\n    }}", fields.join(",\n      "))
}

fn dependency(each: &Crate) -> String {
    let used = each.uses.iter().filter_map(|id| id.split_once(' '));
    let used: Vec<String> = used
        .map(|(name, version)| string(&purl_of(name, version)))
        .collect();
    let whose = string(&purl(each));
    format!(
        "    {{ \"ref\": {whose}, \"dependsOn\": [{}] }}",
        used.join(", ")
    )
}

fn std_purl(rustc: &str) -> String {
    format!("pkg:generic/rust-std@{rustc}")
}

/// The standard library is linked too, and no lock file lists it.
fn std_of(rustc: &str) -> String {
    let purl = string(&std_purl(rustc));
    format!(
        "    {{\n      \"type\": \"library\",\n      \"bom-ref\": {purl},\n      \
         \"name\": \"rust-std\",\n      \"version\": {},\n      \"purl\": {purl},\n      \
         \"licenses\": [{{ \"expression\": \"MIT OR Apache-2.0\" }}]\n    }}",
        string(rustc)
    )
}

fn purl(each: &Crate) -> String {
    purl_of(&each.name, &each.version)
}

/// A `+` would be read as a space (package-url specification, "percent-encoded").
fn purl_of(name: &str, version: &str) -> String {
    format!("pkg:cargo/{name}@{}", version.replace('+', "%2B"))
}

/// Makes a UUID of version 8, which is meant for such uses (RFC 9562, 5.8), from the first 128 bits
/// of a hash.
fn uuid(hex: &str) -> String {
    let variant = match hex.as_bytes().get(16).copied().unwrap_or(b'0') {
        b'0'..=b'3' => '8',
        b'4'..=b'7' => '9',
        b'8' | b'9' | b'a' | b'b' => 'a',
        _ => 'b',
    };
    let (a, b, c, d, e) = (
        &hex[..8],
        &hex[8..12],
        &hex[13..16],
        &hex[17..20],
        &hex[20..32],
    );
    format!("{a}-{b}-8{c}-{variant}{d}-{e}")
}

/// A JSON string.
fn string(text: &str) -> String {
    let mut json = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            c if u32::from(c) < 0x20 => json += &format!("\\u{:04x}", u32::from(c)),
            c => json.push(c),
        }
    }
    json.push('"');
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_and_names_survive() {
        assert_eq!(string("a\"b\\c\n"), r#""a\"b\\c\u000a""#);
        assert_eq!(
            purl_of("toml", "1.2.1+spec-1.1.0"),
            "pkg:cargo/toml@1.2.1%2Bspec-1.1.0"
        );
        let hex = "00112233445566778899aabbccddeeff".repeat(2);
        assert_eq!(uuid(&hex), "00112233-4455-8677-a899-aabbccddeeff");
    }
}
