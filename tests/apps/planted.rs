//! The mistakes that are planted in the three apps, as `planted.toml` lists them.

use super::here;
use serde::Deserialize;

/// An app of `tests/apps`, by its folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(super) enum App {
    #[serde(rename = "shop-node-sqlite")]
    NodeSqlite,
    #[serde(rename = "shop-python-sqlite")]
    PythonSqlite,
    #[serde(rename = "billing-node-postgres")]
    NodePostgres,
}

impl App {
    pub(super) const ALL: [Self; 3] = [Self::NodeSqlite, Self::PythonSqlite, Self::NodePostgres];

    /// Its folder.
    pub(super) const fn folder(self) -> &'static str {
        match self {
            Self::NodeSqlite => "shop-node-sqlite",
            Self::PythonSqlite => "shop-python-sqlite",
            Self::NodePostgres => "billing-node-postgres",
        }
    }

    /// Packages that it loads, by their path in the folder of the clients.
    pub(super) const fn packages(self) -> &'static [&'static str] {
        match self {
            Self::NodeSqlite => &["node_modules/stripe", "node_modules/express", "node_modules/better-sqlite3"],
            Self::PythonSqlite => &["python/stripe", "python/flask", "python/requests"],
            Self::NodePostgres => &["node_modules/stripe", "node_modules/express", "node_modules/pg"],
        }
    }
}

/// What has to happen for the mistake to show, beside deliveries one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Needs {
    Nothing,
    /// Two deliveries that leave 20 ms apart must arrive so, which a loaded machine may turn round.
    Order,
    Crash,
    #[serde(rename = "lost reply")]
    LostReply,
    Concurrency,
}

impl Needs {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Order => "order",
            Self::Crash => "crash",
            Self::LostReply => "lost reply",
            Self::Concurrency => "concurrency",
        }
    }
}

/// One mistake.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Planted {
    pub(super) app: App,
    /// Value of `BUG`.
    pub(super) bug: String,
    /// Its number among the classes that `scenarios/README.md` lists, where it is one of those.
    pub(super) class: Option<u32>,
    pub(super) does: String,
    /// With a slash a shipped scenario, else one of `tests/apps/scenarios`.
    pub(super) scenario: String,
    pub(super) anomaly: String,
    pub(super) criterion: String,
    pub(super) needs: Needs,
    /// The name under which a comparison with a clean delivery finds it, where that is another one.
    pub(super) compared_as: Option<String>,
    /// Why such a comparison cannot find it.
    pub(super) compared_not: Option<String>,
}

impl Planted {
    /// The name under which a comparison alone must find it.
    pub(super) fn compared(&self) -> Option<&str> {
        match self.compared_not {
            Some(_) => None,
            None => Some(self.compared_as.as_deref().unwrap_or(&self.anomaly)),
        }
    }
}

/// All of them, by app.
pub(super) fn planted() -> Vec<Planted> {
    #[derive(Deserialize)]
    struct File {
        planted: Vec<Planted>,
    }
    let text = std::fs::read_to_string(here("planted.toml")).expect("a table");
    toml::from_str::<File>(&text).expect("a table of mistakes").planted
}
