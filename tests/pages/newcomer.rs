//! `hookdrill serve` on a fresh machine: a whole purchase by clicking, from the address that it prints.

use super::browser::{DESKTOP, start};
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_buys_from_what_serve_prints() {
    let Some(browser) = start("hookdrill serve in a browser", DESKTOP).await else { return };
    let mut child = Command::new(env!("CARGO_BIN_EXE_hookdrill"))
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env("STRIPE_WEBHOOK_SECRET", "whsec_of_the_newcomer")
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let _served = Served(child);
    let opens = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("open ").map(str::to_owned));
    let opens = opens.expect("an address to open");
    browser.open(opens.split(' ').next().expect("an address")).await;
    browser.fill("#email", "new@example.com").await;
    browser.fill("#user", "new").await;
    browser.click("main button[type=submit]").await;
    browser.see("input[name=card]").await;
    browser.click("button[type=submit]").await;
    browser.see("[data-activation=active]").await;
}
