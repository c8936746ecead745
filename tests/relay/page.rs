//! The relay's page in a browser, without scripts: light and dark, on a desk and on a phone.

use serde_json::Value;

use crate::browser::Browser;
use crate::go::VERSIONS;
use crate::scene::{Client, Relay, Scene, get};

const WIDTHS: [u32; 2] = [1280, 360];

/// The least contrast of each text with what is behind it: 4.5 is WCAG 2's level AA.
const CONTRAST: &str = "(() => {
    const light = (c) => { c /= 255; return c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4 };
    const parts = (color) => color.match(/[\\d.]+/g).map(Number);
    const luminance = ([r, g, b]) => .2126 * light(r) + .7152 * light(g) + .0722 * light(b);
    const ground = (element) => {
        const color = parts(getComputedStyle(element).backgroundColor);
        return color[3] === 0 ? ground(element.parentElement) : color;
    };
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    let least = 21;
    while (texts.nextNode()) {
        const element = texts.currentNode.parentElement;
        const [a, b] = [parts(getComputedStyle(element).color), ground(element)].map(luminance);
        least = Math.min(least, (Math.max(a, b) + .05) / (Math.min(a, b) + .05));
    }
    return least;
})()";

/// Whether nothing is wider than the window.
const FITS: &str = "document.documentElement.scrollWidth <= innerWidth \
    && [...document.querySelectorAll('main *')].every((one) => {
        const box = one.getBoundingClientRect();
        return one.closest('thead') || (box.left >= 0 && box.right <= innerWidth);
    })";

/// How bright the average point of a picture is (0 to 255), and how many colours the picture has.
fn brightness_and_colors(browser: &mut Browser) -> (f64, u64) {
    let picture = browser.screenshot();
    // The page's own policy would forbid the picture.
    browser.open("about:blank", WIDTHS[0], "light");
    let seen = browser.evaluate(&format!(
        "(async () => {{
            const picture = new Image();
            picture.src = 'data:image/png;base64,{picture}';
            await picture.decode();
            const canvas = new OffscreenCanvas(picture.width, picture.height);
            const context = canvas.getContext('2d');
            context.drawImage(picture, 0, 0);
            const data = context.getImageData(0, 0, picture.width, picture.height).data;
            let sum = 0;
            const colors = new Set();
            for (let at = 0; at < data.length; at += 4) {{
                sum += data[at] + data[at + 1] + data[at + 2];
                colors.add(data[at] << 16 | data[at + 1] << 8 | data[at + 2]);
            }}
            return [sum / data.length * 4 / 3, colors.size];
        }})()"
    ));
    (seen[0].as_f64().unwrap(), seen[1].as_u64().unwrap())
}

/// A relay that has seen a proxy with wrong content, one that is down, and one that works.
fn busy(scene: &Scene) -> Option<(Client, Relay, [String; 3])> {
    let client = scene.client(VERSIONS[0])?;
    let wrong = scene.bad("badzip");
    let down = format!("http://127.0.0.1:{}", crate::server::dead_port());
    let good = scene.good("page");
    client.knows(&[&wrong, &down, &good], &[]);
    let relay = client.relay(&format!("{wrong},{down},{good}"), "");
    let ran = client.go(&relay, "mod download");
    assert!(ran.is_right(), "{}", ran.said());
    // The only proxy that could still serve it has it not.
    let refused = get(&relay, "/example.com/@v/v1.0.0.info");
    assert!(refused.starts_with("HTTP/1.1 502 "), "{refused}");
    let host = |url: &String| url.split('/').nth(2).unwrap().to_owned();
    Some((client, relay, [wrong, down, good].each_ref().map(host)))
}

#[test]
fn the_page_tells_the_chain_fail_overs_and_incidents_by_words_in_each_theme_and_width() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let Some(scene) = Scene::start() else { return };
    let Some((_client, relay, [wrong, down, good])) = busy(&scene) else {
        return;
    };
    let url = format!("{}/", relay.url);
    for width in WIDTHS {
        let mut brightness = Vec::new();
        for theme in ["light", "dark"] {
            let requests = browser.open(&url, width, theme);
            assert_eq!(requests, [url.as_str()], "nothing else is loaded");
            let fits = browser.evaluate(FITS);
            assert_eq!(fits, Value::Bool(true), "{theme}, {width} pixels");
            let contrast = browser.evaluate(CONTRAST).as_f64().unwrap();
            assert!((4.5..21.0).contains(&contrast), "{theme}: {contrast}");

            let tree = browser.accessibility_tree();
            let has = |wanted: &str| assert!(tree.contains(wanted), "{wanted}: {tree}");
            has("RootWebArea \"goroam relay\"");
            for heading in [
                "goroam relay",
                "The chain",
                "Last fail-overs",
                "Incidents",
                "Failed requests",
                "Last files",
            ] {
                has(&format!("heading {heading:?}"));
            }
            has("table \"In the order in which they are asked\"");
            let roles = ["columnheader", "rowheader"].map(|role| {
                let starts = format!("{role} \"");
                let lines = tree.lines().map(str::trim_start);
                let names = lines.filter_map(|line| line.strip_prefix(&starts));
                names
                    .map(|name| name.trim_end_matches('"').to_owned())
                    .collect::<Vec<_>>()
            });
            let columns = [
                "Proxy",
                "Operator",
                "State",
                "Usual time",
                "Asked",
                "Served",
                "Failed",
            ];
            assert_eq!(roles[0], columns);
            assert_eq!(roles[1], [&wrong, &down, &good].map(String::clone));
            has("cell \"out until the network changes last failure: sends wrong content: h1:");
            has("cell \"down, tried again in ");
            has(&format!("last failure: connection refused by {down}\""));
            has("cell \"in use\"");
            has(&format!("StaticText {wrong:?}\n"));
            has("StaticText \" sent wrong content for \"");
            has("StaticText \"; another proxy had the right content\"");
            has("StaticText \": 502. \"");
            has(" served 20 files, the last ");

            let (bright, colors) = brightness_and_colors(&mut browser);
            assert!(colors > 50, "{theme}: {colors} colours");
            brightness.push(bright);
        }
        let [light, dark] = brightness[..] else {
            panic!()
        };
        assert!(light > 225.0 && dark < 60.0, "{light} {dark}");
    }
}

#[test]
fn the_page_of_a_relay_that_has_just_started_says_that_nothing_happened() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let Some(client) = crate::scene::local(VERSIONS[0]) else {
        return;
    };
    let relay = client.relay("https://proxy.golang.org,direct", "");
    // Both ways to write it.
    for url in [relay.url.clone(), format!("{}/", relay.url)] {
        assert_eq!(browser.open(&url, 360, "light"), [url.as_str()]);
        assert_eq!(browser.evaluate(FITS), Value::Bool(true));
        let tree = browser.accessibility_tree();
        assert!(tree.contains("rowheader \"proxy.golang.org\""), "{tree}");
        assert!(tree.contains("cell \"in use\""), "{tree}");
        assert_eq!(tree.matches("StaticText \"None.\"").count(), 4, "{tree}");
    }
}

#[test]
fn neither_the_page_nor_the_metrics_say_the_token_or_may_be_stored() {
    let Some(client) = crate::scene::local(VERSIONS[0]) else {
        return;
    };
    let relay = client.relay("https://proxy.golang.org", "");
    for path in ["/", "/metrics"] {
        let answer = get(&relay, path);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(!answer.contains(relay.token()), "{answer}");
        for header in [
            "cache-control: no-store",
            "referrer-policy: no-referrer",
            "x-content-type-options: nosniff",
            "content-security-policy: default-src 'none'; style-src 'sha256-",
        ] {
            assert!(head.contains(&format!("\r\n{header}")), "{header}: {head}");
        }
        assert!(
            !body.contains("http") && !body.contains("<script"),
            "{body}"
        );
    }
}
