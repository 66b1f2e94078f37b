//! A real Chromium, driven through chromedriver. Where either is missing the test says so and is skipped.

use fantoccini::{Client, ClientBuilder, Locator, wd::Capabilities};
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

fn driver() -> Option<(Child, String)> {
    let mut child =
        Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
    let mut lines = BufReader::new(child.stdout.take()?).lines();
    let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
        line.split_once("started successfully on port ").map(|(_, port)| port.trim_end_matches('.').to_owned())
    });
    // What it says later is read and thrown away, so that its pipe never fills.
    std::thread::spawn(move || lines.for_each(drop));
    Some((child, format!("http://127.0.0.1:{}", port?)))
}

/// A browser of that size; `script` false switches JavaScript off.
pub(crate) async fn start(test: &str, size: Size, script: bool) -> Option<Browser> {
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
    if !script {
        options["prefs"] = json!({"profile.managed_default_content_settings.javascript": 2});
    }
    if size == PHONE {
        options["mobileEmulation"] = json!({"deviceMetrics": {"width": size.0, "height": size.1, "pixelRatio": 2.0}});
    }
    let mut capabilities = Capabilities::new();
    capabilities.insert("goog:chromeOptions".to_owned(), options);
    let client = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
        .capabilities(capabilities)
        .connect(&url)
        .await
        .expect("a browser");
    Some(Browser { client, driver, _profile: profile })
}

impl Browser {
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
        #[expect(clippy::disallowed_methods, reason = "a test may ask how it was started")]
        let Some(folder) = std::env::var_os("HOOKDRILL_PICTURES") else { return };
        let picture = self.client.screenshot().await.expect("a picture");
        std::fs::write(std::path::Path::new(&folder).join(format!("{name}.png")), picture).expect("written");
    }

    /// Whether nothing stands out to the side; asked by the browser's own measure.
    pub(crate) async fn fits(&self) -> bool {
        let script = "return document.documentElement.scrollWidth <= document.documentElement.clientWidth";
        self.client.execute(script, vec![]).await.expect("measured") == Value::Bool(true)
    }
}
