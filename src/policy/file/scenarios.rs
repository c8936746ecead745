//! Reads a policy's own tests: `[[scenario]]`, with the words of the conditions.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use toml::de::DeTable;

use super::condition::{link_kind, search_domain, target_name};
use super::document::{LONGEST, in_order, section, syntax_errors, too_long};
use super::profiles::report;
use super::reader::{Reader, Section, Text, Value};
use super::target::check_name;
use super::values::module_path;
use crate::environment::Environment;
use crate::model::snapshot::TABLE_MAIN;
use crate::model::{Link, LinkKind, Route, RouteKind, Snapshot, Target, Verdict};
use crate::policy::finding::{PolicyFinding, nearest, quoted};
use crate::policy::layers::PolicyText;
use crate::policy::profile::Policy;
use crate::policy::scenario::{Asked, Expectation, OTHERS, Scenario};
use crate::policy::variables::name_fault;

const KEYS: [&str; 7] = [
    "name", "online", "portal", "network", "env", "answers", "expect",
];
const NETWORK: [&str; 7] = [
    "interface",
    "kind",
    "ssid",
    "address",
    "gateway",
    "dns_server",
    "search_domain",
];
const EXPECT: [&str; 6] = ["profile", "env", "not", "private", "loosens", "needs"];
const ANSWERS: [&str; 5] = ["up", "down", "portal", "wrong", "unknown"];
const EXPECT_EXAMPLE: &str = "expect = { profile = \"public\" }";

/// The scenarios of one file.
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedScenarios {
    /// The scenarios; none if a finding is an error.
    pub scenarios: Vec<Scenario>,
    /// Errors and warnings, in the order of the text.
    pub findings: Vec<PolicyFinding>,
}

/// Reads the scenarios of a policy, from a text of one part.
pub fn parse_scenarios(source: &PolicyText, policy: &Policy) -> ParsedScenarios {
    let text = source.text.as_str();
    if text.len() > LONGEST {
        return ParsedScenarios {
            scenarios: Vec::new(),
            findings: vec![too_long(text.len())],
        };
    }
    let (document, errors) = DeTable::parse_recoverable(text);
    let names = policy.targets.keys().map(|name| (name.clone(), 0..0));
    let reader = Reader::of(source, None, names.collect());
    let root = Section {
        what: "a file of scenarios".to_owned(),
        ..section(&reader, document.get_ref())
    };
    root.only(&["scenario"]);
    let asked = Asked::by(policy);
    let value = root.get("scenario", "[[scenario]]");
    let items = value.and_then(|value| value.list("a list: write [[scenario]]"));
    let items = items.unwrap_or_default();
    if items.is_empty() && errors.is_empty() {
        let finding = PolicyFinding::fault("no-scenarios", "the file has no [[scenario]]");
        reader.report(finding.help(format!(
            "begin with: [[scenario]] name = \"home\", {EXPECT_EXAMPLE}"
        )));
    }
    let read = Reading { policy, asked };
    let scenarios = items
        .iter()
        .filter_map(|item| read.scenario(item))
        .collect();
    let mut findings = reader.findings.take();
    if !errors.is_empty() {
        // All else may only be a consequence.
        findings = syntax_errors(&errors, text);
    }
    let is_refused = findings.iter().any(PolicyFinding::is_error);
    ParsedScenarios {
        scenarios: if is_refused { Vec::new() } else { scenarios },
        findings: in_order(findings),
    }
}

/// What the scenarios of one file are read with.
struct Reading<'p> {
    policy: &'p Policy,
    asked: Asked,
}

impl Reading<'_> {
    fn scenario(&self, item: &Value<'_>) -> Option<Scenario> {
        if item.reader.is_full() {
            return None;
        }
        let table = item.table("a scenario")?;
        let table = Section {
            what: "[[scenario]]".to_owned(),
            ..table
        };
        table.only(&KEYS);
        let missing = |key: &str, example: &str| {
            let message = format!("this scenario has no `{key}`");
            let finding = PolicyFinding::error("missing-key", message, table.span.clone());
            table
                .reader
                .refuse::<()>(finding.help(format!("for example: {example}")));
        };
        let name = table.string("name", "name = \"home\"");
        if table.map.get("name").is_none() {
            missing("name", "name = \"home\"");
        }
        let name = name.filter(|name| check_name(name, "scenario"));
        let online = table.boolean("online").unwrap_or(true);
        let snapshot = self.network(&table, online);
        let portal = table.boolean("portal").unwrap_or(false);
        if portal && snapshot.links.is_empty() {
            no_network(&table, "portal", "a login page cannot answer");
        }
        if portal && self.asked.targets.iter().all(|name| self.is_local(name)) {
            self.unused(
                &table,
                "portal",
                "no profile asks for a target on the network",
            );
        }
        if online && !self.asked.facts.contains("online") {
            self.unused(
                &table,
                "online",
                "no condition asks whether there is a default route",
            );
        }
        let env = self.environment(&table);
        let answers = self.answers(&table, &snapshot);
        let expect = table.get("expect", EXPECT_EXAMPLE);
        if expect.is_none() {
            missing("expect", EXPECT_EXAMPLE);
        }
        let expect = expect.and_then(|value| self.expectation(&value));
        let name = name?;
        Some(Scenario {
            name: name.value.to_owned(),
            span: name.span,
            snapshot,
            portal,
            env,
            answers,
            expect: expect?,
        })
    }

    fn is_local(&self, name: &str) -> bool {
        self.policy.targets.get(name).is_some_and(Target::is_local)
    }

    /// Warns of a key that changes nothing, if it is there.
    fn unused(&self, table: &Section<'_>, key: &str, why: &str) {
        if let Some(span) = table.key_span(key) {
            let message = format!("`{key}` changes nothing: {why}");
            table.reader.report(
                PolicyFinding::warning("unused-fact", message, span)
                    .help("take it out, or let a condition of the policy ask for it"),
            );
        }
    }

    /// Reads `network`: one link, or several.
    fn network(&self, scenario: &Section<'_>, online: bool) -> Snapshot {
        let example = "network = { interface = \"wlan0\", address = \"10.20.0.50\", gateway = \
                       \"10.20.0.1\" }";
        let value = scenario.get("network", example);
        let items = value.map(|value| value.one_or_more());
        let is_given = items.is_some();
        let mut snapshot = Snapshot::default();
        for item in items.unwrap_or_default() {
            let Some(table) = item.table("`network`") else {
                continue;
            };
            table.only(&NETWORK);
            for key in NETWORK
                .into_iter()
                .filter(|key| !self.asked.facts.contains(key))
            {
                self.unused(&table, key, "no condition of the policy asks for it");
            }
            self.link(&table, online, &mut snapshot);
        }
        if online && !is_given {
            snapshot.links.push(link(&snapshot));
        }
        // Every network leads out, unless the scenario says otherwise.
        if let Some(first) = snapshot
            .links
            .first()
            .filter(|_| online && snapshot.routes.is_empty())
        {
            let route = default_route(first.index, None);
            snapshot.routes.push(route);
        }
        snapshot
    }

    fn link(&self, table: &Section<'_>, online: bool, snapshot: &mut Snapshot) {
        let mut link = link(snapshot);
        if let Some(name) = table.string("interface", "interface = \"wlan0\"") {
            name.value.clone_into(&mut link.name);
        }
        if let Some(ssid) = table.string("ssid", "ssid = \"Corp\"") {
            link.ssid = Some(ssid.value.to_owned());
            link.kind = LinkKind::Wifi;
        }
        let kind = table.string("kind", "kind = \"wifi\"");
        link.kind = kind.and_then(|text| link_kind(&text)).unwrap_or(link.kind);
        let list = |key, example: &str| {
            let value = table.get(key, example);
            let values = value.map(|value| value.one_or_more()).unwrap_or_default();
            values.into_iter().filter_map(|value| value.string())
        };
        for text in list("address", "address = \"10.20.0.50\"") {
            let alone = text.value.parse::<IpAddr>().map(IpNet::from).ok();
            let wanted = "an IP address";
            let address = alone.or_else(|| text.parse("bad-address", wanted, "\"10.20.0.50/24\""));
            link.addresses.extend(address);
        }
        let address =
            |text: Text<'_>| text.parse::<IpAddr>("bad-address", "an IP address", "\"10.20.0.1\"");
        for text in list("gateway", "gateway = \"10.20.0.1\"") {
            if online {
                let gateway = address(text);
                let index = link.index;
                snapshot
                    .routes
                    .extend(gateway.map(|_| default_route(index, gateway)));
            } else {
                let message = "a gateway belongs to a default route, and `online = false` says that \
                               there is none";
                text.refuse::<()>("bad-value", message, "take one of the two out");
            }
        }
        let servers = list("dns_server", "dns_server = \"10.20.0.53\"");
        snapshot.dns.servers.extend(servers.filter_map(address));
        let domains = list("search_domain", "search_domain = \"corp.example\"");
        snapshot
            .dns
            .search
            .extend(domains.filter_map(|text| search_domain(&text)));
        snapshot.links.push(link);
    }

    /// Reads `env`, the agent's environment.
    fn environment(&self, scenario: &Section<'_>) -> Environment {
        let example = "env = { SITE = \"lab\" }";
        let value = scenario.get("env", example);
        let Some(table) = value.and_then(|value| value.table("`env`")) else {
            return Environment::default();
        };
        let set = table.keys().filter_map(|name| {
            if !self.asked.env.contains(name.value) {
                self.unused(&table, name.value, "no condition of the policy asks for it");
            }
            Some((name.value, table.string(name.value, example)?.value))
        });
        Vec::from_iter(set).into_iter().collect()
    }

    /// Reads `answers`.
    fn answers(&self, scenario: &Section<'_>, snapshot: &Snapshot) -> Answers {
        let value = scenario.get("answers", "answers = { proxy = \"up\" }");
        let Some(table) = value.and_then(|value| value.table("`answers`")) else {
            return Answers::new();
        };
        let read = |name: Text<'_>| {
            let value = table.get(name.value, "\"up\"")?;
            let answer = value.string().and_then(|text| verdict(&text));
            if name.value != OTHERS {
                self.known_target(&name)?;
                if !self.asked.targets.contains(name.value) {
                    self.unused(&table, name.value, "no profile asks for this target");
                }
            }
            let answer = answer?;
            let is_answer = answer.is_some_and(|verdict| verdict != Verdict::Down);
            if is_answer && snapshot.links.is_empty() && !self.is_local(name.value) {
                let what = format!("{} cannot answer", quoted(name.value));
                no_network(&table, name.value, &what);
            }
            Some((name.value.to_owned(), answer))
        };
        table.keys().filter_map(read).collect()
    }

    /// Reports a name that does not name a target.
    fn known_target(&self, name: &Text<'_>) -> Option<()> {
        if self.policy.targets.contains_key(name.value) {
            return Some(());
        }
        let known = Vec::from_iter(self.policy.targets.keys().map(String::as_str));
        self.unknown(name, "target", &known)
    }

    fn unknown<T>(&self, name: &Text<'_>, what: &str, known: &[&str]) -> Option<T> {
        let message = format!("the policy has no {what} {}", quoted(name.value));
        let finding = match what {
            "target" => name.error("unknown-target", message),
            _ => name.error("unknown-profile", message),
        };
        let help = match nearest(name.value, known.iter().copied()) {
            Some(near) => format!("did you mean {}?", quoted(near)),
            None => format!("it has: {}", known.join(", ")),
        };
        name.reader.refuse(finding.help(help))
    }

    /// Reads `expect`.
    fn expectation(&self, value: &Value<'_>) -> Option<Expectation> {
        let table = value.table("`expect`")?;
        table.only(&EXPECT);
        let profile = table.string("profile", "profile = \"public\"");
        let names = self.policy.names();
        let profile = profile.and_then(|name| {
            let known = Vec::from_iter(names.iter().map(String::as_str));
            match known.contains(&name.value) {
                true => Some(name.value.to_owned()),
                false => self.unknown(&name, "profile", &known),
            }
        });
        let texts = |key, example: &str| {
            let value = table.get(key, example);
            value.map(|value| value.one_or_more()).unwrap_or_default()
        };
        let needs = texts("needs", "needs = [\"corp\"]");
        let waits = !needs.is_empty();
        let needs = BTreeSet::from_iter(needs.iter().filter_map(target_name));
        let mut beside = EXPECT.into_iter().filter(|key| *key != "needs");
        let beside = beside.find_map(|key| Some((key, table.key_span(key)?)));
        if let (true, Some((key, span))) = (waits, beside) {
            let message = format!("`{key}` is not compared: `needs` says that nothing is decided");
            let finding = PolicyFinding::error("bad-value", message, span);
            let help = "take one of the two out";
            table.reader.refuse::<()>(finding.help(help));
        } else if !waits && table.key_span("profile").is_none() {
            let message = "`expect` needs a `profile`, or `needs` if the choice must wait";
            value.refuse::<()>("missing-key", message);
        }
        let private = texts("private", "private = [\"git.corp.example/team/app\"]");
        let private = private
            .iter()
            .filter_map(|value| module_path(&value.string()?));
        Some(Expectation {
            profile,
            env: values(&table, "env"),
            not: values(&table, "not")
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?)))
                .collect(),
            private: private.collect(),
            loosens: table.boolean("loosens"),
            needs,
        })
    }
}

type Answers = BTreeMap<String, Option<Verdict>>;

/// Refuses a key that needs a network, in a scenario without one.
fn no_network(table: &Section<'_>, key: &str, what: &str) {
    let span = table.key_span(key).unwrap_or_default();
    let finding = PolicyFinding::error("no-network", format!("{what}: there is no network"), span);
    let help = "give the scenario a `network`, or take `online = false` out";
    table.reader.report(finding.help(help));
}

/// Reads a table of go's variables; `false`: the variable is not set.
fn values(expect: &Section<'_>, key: &'static str) -> BTreeMap<String, Option<String>> {
    let example = format!("{key} = {{ GOSUMDB = \"sum.golang.org\" }}");
    let value = expect.get(key, example.as_str());
    let table = value.and_then(|value| value.table(format!("`{key}`")));
    let Some(table) = table else {
        return BTreeMap::new();
    };
    let read = |name: Text<'_>| {
        if let Some(fault) = name_fault(name.value) {
            report(fault, &name, true);
            return None;
        }
        let value = table.get(name.value, format!("{} = \"…\"", name.value))?;
        let is_unset = value.node.get_ref().as_bool() == Some(false) && key == "env";
        let value = match is_unset {
            true => None,
            false => Some(value.string()?.value.to_owned()),
        };
        Some((name.value.to_owned(), value))
    };
    table.keys().filter_map(read).collect()
}

fn verdict(text: &Text<'_>) -> Option<Option<Verdict>> {
    Some(match text.value {
        "up" => Some(Verdict::Up),
        "down" => Some(Verdict::Down),
        "portal" => Some(Verdict::Portal),
        "wrong" => Some(Verdict::Wrong),
        "unknown" => None,
        other => {
            let message = format!("{} is not an answer", quoted(other));
            let help = match nearest(other, ANSWERS.into_iter()) {
                Some(near) => format!("write \"{near}\""),
                None => format!("one of {}", ANSWERS.join(", ")),
            };
            return text.refuse("bad-value", message, help);
        }
    })
}

fn default_route(link: u32, gateway: Option<IpAddr>) -> Route {
    let is_v6 = gateway.is_some_and(|gateway| gateway.is_ipv6());
    let all: IpAddr = if is_v6 {
        Ipv6Addr::UNSPECIFIED.into()
    } else {
        Ipv4Addr::UNSPECIFIED.into()
    };
    Route {
        destination: IpNet::new_assert(all, 0),
        metric: 0,
        gateway,
        link,
        table: TABLE_MAIN,
        kind: RouteKind::Unicast,
    }
}

/// Returns the next link of a network, of which nothing is known but that it runs.
fn link(snapshot: &Snapshot) -> Link {
    let index = u32::try_from(snapshot.links.len())
        .unwrap_or(u32::MAX)
        .saturating_add(1);
    Link {
        index,
        name: format!("link{index}"),
        kind: LinkKind::Other,
        up: true,
        carrier: true,
        mtu: 1500,
        addresses: Vec::new(),
        ssid: None,
    }
}
