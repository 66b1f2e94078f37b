//! A real Chromium, driven through chromedriver. Where either is missing the test says so and is skipped.

use fantoccini::{
    Client, ClientBuilder, Locator,
    wd::{Capabilities, WebDriverCompatibleCommand},
};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

/// Width and height of a window.
pub(crate) type Size = (u32, u32);
pub(crate) const DESKTOP: Size = (1280, 800);
pub(crate) const PHONE: Size = (390, 844);

/// How long a page may take until it shows what is waited for.
const PATIENCE: Duration = Duration::from_secs(15);

/// One browser with its own profile; ended when dropped.
pub(crate) struct Browser {
    pub(crate) client: Client,
    driver: Child,
    _profile: tempfile::TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        // chromedriver ends its browser when it is asked to end; `kill` alone would leave it behind.
        let _ = Command::new("kill").args(["-TERM", &self.driver.id().to_string()]).status();
        std::thread::sleep(Duration::from_millis(200));
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// How often a driver is started: the port that it takes for IPv6 may be somebody's for IPv4, and then it ends.
const TRIES: usize = 20;

/// `None` when there is no driver.
fn driver() -> Option<(Child, String)> {
    let mut said = String::new();
    for _ in 0..TRIES {
        let mut command = Command::new("chromedriver");
        let started = command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = match started {
            Ok(child) => child,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Err(error) => panic!("chromedriver: {error}"),
        };
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
            said += &format!("{line}\n");
            line.split_once("started successfully on port ").map(|(_, port)| port.trim_end_matches('.').to_owned())
        });
        if let Some(port) = port {
            // What it says later is read and thrown away, so that its pipe never fills.
            std::thread::spawn(move || lines.for_each(drop));
            return Some((child, format!("http://127.0.0.1:{port}")));
        }
        let _ = child.kill();
        let _ = child.wait();
    }
    panic!("chromedriver does not start: {said}");
}

/// A browser of that size.
pub(crate) async fn start(test: &str, size: Size) -> Option<Browser> {
    let binary =
        ["/usr/bin/chromium", "/usr/bin/chromium-browser"].into_iter().find(|at| std::path::Path::new(at).exists());
    let Some(binary) = binary else {
        crate::skip(test, "chromium is not installed (apt-get install chromium)");
        return None;
    };
    let Some((driver, url)) = driver() else {
        crate::skip(test, "chromedriver is not installed (apt-get install chromium-driver)");
        return None;
    };
    let profile = crate::cli::scratch();
    let mut options = json!({
        "binary": binary,
        "args": [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
            format!("--window-size={},{}", size.0, size.1),
            format!("--user-data-dir={}", profile.path().display()),
        ],
    });
    let phone = size == PHONE;
    options["mobileEmulation"] = json!({"deviceMetrics": {
        "width": size.0, "height": size.1, "pixelRatio": if phone { 2.0 } else { 1.0 }, "mobile": phone, "touch": phone,
    }});
    let mut capabilities = Capabilities::new();
    capabilities.insert("goog:chromeOptions".to_owned(), options);
    let client = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
        .capabilities(capabilities)
        .connect(&url)
        .await
        .expect("a browser");
    Some(Browser { client, driver, _profile: profile })
}

/// A command of Chromium's own, as chromedriver hands it on.
#[derive(Debug)]
struct Devtools(&'static str, Value);

impl WebDriverCompatibleCommand for Devtools {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(json!({"cmd": self.0, "params": self.1}).to_string()))
    }
}

/// A tab in which JavaScript is off. WebDriver itself asks pages by script, so this one is driven like a hand would: by
/// places on the page, the mouse and the keyboard.
pub(crate) struct Mute<'a>(&'a Client);

impl Mute<'_> {
    async fn ask(&self, command: &'static str, parameters: Value) -> Option<Value> {
        self.0.issue_cmd(Devtools(command, parameters)).await.ok()
    }

    pub(crate) async fn open(&self, url: &str) {
        self.ask("Page.navigate", json!({"url": url})).await.expect("opened");
    }

    async fn node(&self, css: &str) -> Option<Value> {
        let root = self.ask("DOM.getDocument", json!({"depth": 0})).await?["root"]["nodeId"].clone();
        let found = self.ask("DOM.querySelector", json!({"nodeId": root, "selector": css})).await?["nodeId"].clone();
        found.as_u64().is_some_and(|node| node > 0).then_some(found)
    }

    /// The element that `css` names, once it is there.
    pub(crate) async fn see(&self, css: &str) -> Value {
        let tries = PATIENCE.as_millis() / 50;
        for _ in 0..tries {
            if let Some(node) = self.node(css).await {
                return node;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{css} does not come");
    }

    /// The markup of that element.
    pub(crate) async fn markup(&self, css: &str) -> String {
        let node = self.see(css).await;
        let found = self.ask("DOM.getOuterHTML", json!({"nodeId": node})).await.unwrap_or_default();
        found["outerHTML"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) async fn fill(&self, css: &str, text: &str) {
        let node = self.see(css).await;
        self.ask("DOM.focus", json!({"nodeId": node})).await.expect("focused");
        self.ask("Input.insertText", json!({"text": text})).await.expect("typed");
    }

    pub(crate) async fn click(&self, css: &str) {
        let node = self.see(css).await;
        self.ask("DOM.scrollIntoViewIfNeeded", json!({"nodeId": node})).await.expect("in view");
        let model = self.ask("DOM.getBoxModel", json!({"nodeId": node})).await.expect("a place");
        let at = |n: usize| model["model"]["border"][n].as_f64().expect("a number");
        let (x, y) = ((at(0) + at(4)) / 2.0, (at(1) + at(5)) / 2.0);
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1});
            self.ask("Input.dispatchMouseEvent", event).await.expect("clicked");
        }
    }

    /// Whether nothing stands out to the side.
    pub(crate) async fn fits(&self) -> bool {
        let metrics = self.ask("Page.getLayoutMetrics", json!({})).await.expect("measured");
        let wide = |name: &str, side: &str| metrics[name][side].as_f64().expect("a number");
        wide("cssContentSize", "width") <= wide("cssLayoutViewport", "clientWidth")
    }

    /// A picture, kept when `HOOKDRILL_PICTURES` names a folder.
    pub(crate) async fn picture(&self, name: &str) {
        let picture = self.ask("Page.captureScreenshot", json!({"format": "png"})).await.expect("a picture");
        let bytes =
            base64::Engine::decode(&base64::engine::general_purpose::STANDARD, picture["data"].as_str().expect("text"));
        keep(name, &bytes.expect("base64"));
    }
}

fn keep(name: &str, picture: &[u8]) {
    #[expect(clippy::disallowed_methods, reason = "a test may ask how it was started")]
    let Some(folder) = std::env::var_os("HOOKDRILL_PICTURES") else { return };
    std::fs::write(std::path::Path::new(&folder).join(format!("{name}.png")), picture).expect("written");
}

impl Browser {
    /// Switches JavaScript off in this tab.
    pub(crate) async fn mute(&self) -> Mute<'_> {
        let off = Devtools("Emulation.setScriptExecutionDisabled", json!({"value": true}));
        self.client.issue_cmd(off).await.expect("JavaScript off");
        Mute(&self.client)
    }

    pub(crate) async fn open(&self, url: &str) {
        self.client.goto(url).await.expect("opened");
    }

    /// The text of the first element that `css` names, once it is there.
    pub(crate) async fn text(&self, css: &str) -> String {
        let wait = self.client.wait().at_most(PATIENCE);
        wait.for_element(Locator::Css(css)).await.unwrap_or_else(|error| panic!("{css}: {error}"));
        // A refresh between the two questions takes the element away: ask again.
        for _ in 0..20 {
            if let Ok(found) = self.client.find(Locator::Css(css)).await
                && let Ok(text) = found.text().await
            {
                return text;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{css} does not stay");
    }

    pub(crate) async fn has(&self, css: &str) -> bool {
        self.client.find(Locator::Css(css)).await.is_ok()
    }

    /// Waits until `css` is there.
    pub(crate) async fn see(&self, css: &str) {
        let wait = self.client.wait().at_most(PATIENCE);
        if let Err(error) = wait.for_element(Locator::Css(css)).await {
            panic!("{css}: {error}\n{}", self.client.source().await.unwrap_or_default());
        }
    }

    pub(crate) async fn fill(&self, css: &str, text: &str) {
        let field = self.client.find(Locator::Css(css)).await.expect("a field");
        field.clear().await.expect("cleared");
        field.send_keys(text).await.expect("typed");
    }

    pub(crate) async fn click(&self, css: &str) {
        self.see(css).await;
        self.client.find(Locator::Css(css)).await.expect("there").click().await.expect("clicked");
    }

    pub(crate) async fn url(&self) -> String {
        self.client.current_url().await.expect("an address").to_string()
    }

    /// A picture, kept when `HOOKDRILL_PICTURES` names a folder.
    pub(crate) async fn picture(&self, name: &str) {
        keep(name, &self.client.screenshot().await.expect("a picture"));
    }

    /// Whether nothing stands out to the side; asked by the browser's own measure.
    pub(crate) async fn fits(&self) -> bool {
        let script = "return document.documentElement.scrollWidth <= document.documentElement.clientWidth";
        self.client.execute(script, vec![]).await.expect("measured") == Value::Bool(true)
    }
}
