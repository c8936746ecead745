//! The pictures of single commands in the documentation: what they print in the lab, with their
//! colours.

use super::Made;
use super::laptop::{COLUMNS, Laptop, net};
use super::masked;
use super::svg::{self, About};
use crate::run::Result;

/// One command.
struct Picture {
    /// `docs/pictures/NAME.svg`
    name: &'static str,
    line: &'static str,
    title: &'static str,
    description: &'static str,
}

const PICTURES: [Picture; 4] = [
    Picture {
        name: "status",
        line: "goroam status",
        title: "goroam status at home",
        description: "The profile in force, the network, the reason, each variable with its value \
                      before, and what each target answered.",
    },
    Picture {
        name: "why",
        line: "goroam why",
        title: "goroam why at home",
        description: "Every condition of every profile, its value, and what it was judged by.",
    },
    Picture {
        name: "check",
        line: "goroam check team.toml",
        title: "goroam check on a policy with mistakes",
        description: "Each mistake with its line, a mark under the words, and what to write instead.",
    },
    Picture {
        name: "doctor",
        line: "goroam doctor",
        title: "goroam doctor in a home whose .bashrc exports GOPROXY",
        description: "The file and the line that override what goroam has set, and how to fix it.",
    },
];

/// A policy as someone writes it who is in a hurry.
const MISTAKES: &str = "\
version = 1

[target.corp]
goproxy = \"https://goproxy.corp.example\"
privat = true

[[profile]]
name = \"office\"
when = { up = \"crop\" }
env = { GOPROXY = \"https://goproxy.corp.example,direct\", GOSUMDB = \"off\" }
";

/// Makes all of them.
pub fn make(laptop: &mut Laptop) -> Result<Vec<Made>> {
    laptop.join_company()?;
    net(&["move", "home"])?;
    laptop.wait_settled()?;
    laptop.start_agent()?;
    laptop.wait_for("GOPROXY=https://proxy.golang.org,direct")?;
    laptop.write("team.toml", MISTAKES)?;
    laptop.write(
        ".bashrc",
        "export EDITOR=vi\nexport GOPROXY=https://goproxy.io\n",
    )?;
    let mut made = Vec::new();
    for picture in PICTURES {
        let shown = laptop.show(picture.line)?;
        let about = About {
            title: picture.title,
            description: picture.description,
        };
        made.push(Made {
            name: format!("docs/pictures/{}.svg", picture.name),
            text: svg::still(about, &shown.rows, COLUMNS.into()),
            words: |svg| masked(&svg::lines(svg).join("\n")),
        });
    }
    Ok(made)
}
