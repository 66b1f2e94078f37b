//! `[mocks.…]` of a project file: which doubles an app calls, and where they listen.
//!
//! Must not know: what a double answers.

use super::{ProjectError, declared::DeclaredTable, reader::Reader};
use crate::{
    id::DoubleName,
    mock::dialect::{Account, Dialects, Speaks},
};
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::SocketAddr,
};
use toml::Spanned;

#[derive(Default)]
pub(super) struct Mocks {
    /// The CRM.
    pub(super) crm: Option<CrmTable>,
    /// The support desk; a tag `queue_billing` puts a ticket into the queue `billing`.
    pub(super) support: Option<MockTable>,
    /// Stripe's API, with the objects of the stories.
    pub(super) stripe: Option<StripeTable>,
    /// Declared ones, by their names.
    pub(super) declared: BTreeMap<String, Spanned<DeclaredTable>>,
}

/// What `[mocks]` may hold, for the schema: a name that is not one of these is that of a declared double.
#[derive(JsonSchema)]
#[expect(
    dead_code,
    reason = "read by the schema alone; the tables are read by hand, since `flatten` loses their places"
)]
pub(super) struct MocksSchema {
    /// The CRM.
    crm: Option<CrmTable>,
    /// The support desk; a tag `queue_billing` puts a ticket into the queue `billing`.
    support: Option<MockTable>,
    /// Stripe's API, with the objects of the stories.
    stripe: Option<StripeTable>,
    /// A declared double.
    #[serde(flatten)]
    declared: BTreeMap<String, DeclaredTable>,
}

impl<'de> Deserialize<'de> for Mocks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Tables;
        impl<'de> Visitor<'de> for Tables {
            type Value = Mocks;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table of doubles")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Mocks, A::Error> {
                let mut mocks = Mocks::default();
                while let Some(name) = map.next_key::<String>()? {
                    match name.as_str() {
                        "crm" => mocks.crm = Some(map.next_value()?),
                        "support" => mocks.support = Some(map.next_value()?),
                        "stripe" => mocks.stripe = Some(map.next_value()?),
                        _ => drop(mocks.declared.insert(name, map.next_value()?)),
                    }
                }
                Ok(mocks)
            }
        }
        deserializer.deserialize_map(Tables)
    }
}

/// The twin of Stripe's API.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StripeTable {
    /// Address on this machine, like 127.0.0.1:4103; a free port when absent.
    #[schemars(with = "Option<String>")]
    pub(super) listen: Option<Spanned<String>>,
    /// Whether your app finds events that never arrived in Stripe's list and applies them (true). When not, scenarios in which
    /// events never arrive and are owed all the same are left out.
    pub(super) fetches_events: Option<bool>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CrmTable {
    /// Address on this machine, like 127.0.0.1:4101; a free port when absent.
    #[schemars(with = "Option<String>")]
    pub(super) listen: Option<Spanned<String>>,
    /// Whose API it speaks: hubspot, or intercom.
    #[schemars(with = "Option<String>")]
    pub(super) dialect: Option<Spanned<String>>,
    /// Calls in ten seconds that it allows, and with it five searches in a second; no limit when absent.
    #[schemars(with = "Option<u32>")]
    pub(super) rate_limit: Option<Spanned<u32>>,
    /// Your account's own properties of contacts; any other name is refused, as HubSpot does. Every name is taken when absent.
    pub(super) properties: Option<BTreeSet<String>>,
    /// Own properties of which no two contacts may have the same value.
    #[serde(default)]
    #[schemars(with = "BTreeSet<String>")]
    pub(super) unique_properties: Option<Spanned<BTreeSet<String>>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MockTable {
    /// Address on this machine, like 127.0.0.1:4101; a free port when absent.
    #[schemars(with = "Option<String>")]
    pub(super) listen: Option<Spanned<String>>,
    /// Whose API it speaks: zendesk, or intercom.
    #[schemars(with = "Option<String>")]
    pub(super) dialect: Option<Spanned<String>>,
    /// Calls that it allows: in a minute as Zendesk, in ten seconds as Intercom; no limit when absent.
    #[schemars(with = "Option<u32>")]
    pub(super) rate_limit: Option<Spanned<u32>>,
}

impl Mocks {
    /// What stands for the addresses of the doubles in braces.
    pub(super) fn braces(&self) -> Vec<String> {
        let of = [
            ("crm_url", self.crm.is_some()),
            ("support_url", self.support.is_some()),
            ("stripe_api_url", self.stripe.is_some()),
        ];
        let of = of.into_iter().filter(|(_, is)| *is).map(|(name, _)| name.to_owned());
        of.chain(self.declared.keys().filter_map(|name| Some(DoubleName::new(name)?.brace()))).collect()
    }
}

impl Reader<'_> {
    /// Where a double listens, when its table says so.
    pub(super) fn listen(&self, listen: Option<&Spanned<String>>) -> Result<Option<SocketAddr>, ProjectError> {
        let Some(listen) = listen else { return Ok(None) };
        let address: SocketAddr = listen.get_ref().parse().map_err(|_| {
            self.wrong(listen, format!("`{}` is no address; write it as \"127.0.0.1:4101\"", listen.get_ref()))
        })?;
        if !address.ip().is_loopback() {
            return Err(self.wrong(
                listen,
                format!("a double listens on this machine only; write \"127.0.0.1:{}\"", address.port()),
            ));
        }
        Ok(Some(address))
    }

    /// How the doubles behave.
    pub(super) fn dialects(&self, mocks: &Mocks) -> Result<Dialects, ProjectError> {
        let mut asked = Dialects::default();
        if let Some(crm) = &mocks.crm {
            asked.crm = self.account(crm.dialect.as_ref(), "hubspot", crm.rate_limit.as_ref())?;
            asked.properties.clone_from(&crm.properties);
            if let Some(unique) = &crm.unique_properties {
                if asked.crm.speaks == Speaks::Intercom {
                    let what = "`unique_properties` are HubSpot's; with the dialect intercom leave them out";
                    return Err(self.wrong(unique, what.to_owned()));
                }
                asked.unique_properties.clone_from(unique.get_ref());
            }
        }
        if let Some(support) = &mocks.support {
            asked.support = self.account(support.dialect.as_ref(), "zendesk", support.rate_limit.as_ref())?;
        }
        Ok(asked)
    }

    fn account(
        &self,
        dialect: Option<&Spanned<String>>,
        usual: &str,
        limit: Option<&Spanned<u32>>,
    ) -> Result<Account, ProjectError> {
        let speaks = match dialect {
            None => Speaks::Usual,
            Some(dialect) if dialect.get_ref() == usual => Speaks::Usual,
            Some(dialect) if dialect.get_ref() == "intercom" => Speaks::Intercom,
            Some(other) => {
                let what =
                    format!("the dialect `{}` is not known here; write \"{usual}\" or \"intercom\"", other.get_ref());
                return Err(self.wrong(other, what));
            }
        };
        if let Some(none) = limit.filter(|limit| *limit.get_ref() == 0) {
            return Err(self.wrong(none, "no call would be answered; write 1 or more".to_owned()));
        }
        Ok(Account { speaks, rate_limit: limit.map(|limit| *limit.get_ref()) })
    }
}
