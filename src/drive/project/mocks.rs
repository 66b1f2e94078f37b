//! `[mocks.…]` of a project file: which doubles an app calls, and where they listen.
//!
//! Must not know: what a double answers.

use super::{ProjectError, reader::Reader};
use schemars::JsonSchema;
use serde::Deserialize;
use std::net::SocketAddr;
use toml::Spanned;

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Mocks {
    /// The CRM.
    pub(super) crm: Option<MockTable>,
    /// The support desk; a tag `queue_billing` puts a ticket into the queue `billing`.
    pub(super) support: Option<MockTable>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MockTable {
    /// Address on this machine, like 127.0.0.1:4101; a free port when absent.
    #[schemars(with = "Option<String>")]
    pub(super) listen: Option<Spanned<String>>,
    /// Whose API it speaks: hubspot, or zendesk.
    #[schemars(with = "Option<String>")]
    pub(super) dialect: Option<Spanned<String>>,
}

impl Reader<'_> {
    pub(super) fn listen(&self, table: Option<&MockTable>, dialect: &str) -> Result<Option<SocketAddr>, ProjectError> {
        let Some(table) = table else { return Ok(None) };
        if let Some(wanted) = &table.dialect
            && wanted.get_ref() != dialect
        {
            return Err(self
                .wrong(wanted, format!("the dialect `{}` is not known here; write \"{dialect}\"", wanted.get_ref())));
        }
        let Some(listen) = &table.listen else { return Ok(None) };
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
}
