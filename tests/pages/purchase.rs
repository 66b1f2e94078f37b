//! Purchase, pending, refresh, active, cancel; without JavaScript, with a double click, a closed tab, another browser.

use super::{
    Shop, a_while,
    browser::{Browser, DESKTOP, PHONE, start},
};
use fantoccini::actions::{InputSource, MouseActions, PointerAction};

async fn sign_up(browser: &Browser, shop: &Shop, user: &str) {
    browser.open(&shop.at("/")).await;
    browser.fill("#email", &format!("{user}@example.com")).await;
    browser.fill("#user", user).await;
    browser.click("main button[type=submit]").await;
    browser.see("input[name=card]").await;
}

async fn pay(browser: &Browser) {
    browser.click("button[type=submit]").await;
    browser.see("[data-activation]").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_is_pending_then_active_then_cancelled() {
    let Some(browser) = start("purchase in a browser", DESKTOP).await else { return };
    let mut shop = Shop::open(|_| {}).await;
    browser.open(&shop.at("/chat")).await;
    browser.see("[data-entitled=false]").await;
    browser.open(&shop.at("/")).await;
    browser.picture("desktop-sign-up").await;
    sign_up(&browser, &shop, "ada").await;
    browser.picture("desktop-checkout").await;

    shop.hold(true);
    pay(&browser).await;
    browser.see("[data-activation=pending]").await;
    browser.picture("desktop-pending").await;
    // Being here grants nothing, however often one comes.
    browser.client.refresh().await.expect("again");
    browser.see("[data-activation=pending]").await;
    browser.open(&shop.at("/chat")).await;
    browser.see("[data-entitled=false]").await;
    browser.open(&shop.at("/billing")).await;
    browser.see("[data-billing=pending]").await;
    // Who wants to pay again while the first payment is on its way is shown that instead.
    browser.open(&shop.at("/")).await;
    browser.fill("#email", "ada@example.com").await;
    browser.fill("#user", "ada").await;
    browser.click("main button[type=submit]").await;
    browser.see("[data-activation=pending]").await;

    shop.hold(false);
    browser.see("[data-activation=active]").await;
    browser.picture("desktop-active").await;
    assert!(!browser.has("meta[http-equiv=refresh]").await, "an active page rests");
    browser.open(&shop.at("/chat")).await;
    browser.see("[data-entitled=true]").await;
    browser.picture("desktop-chat").await;
    browser.open(&shop.at("/billing")).await;
    browser.see("[data-billing=active]").await;
    assert!(browser.text(".facts").await.contains("Pro"));
    browser.picture("desktop-billing").await;

    browser.click("a[href='/billing/cancel']").await;
    browser.picture("desktop-cancel").await;
    browser.click("form[action='/billing/cancel'] button").await;
    browser.see("[data-billing=ending]").await;
    assert!(browser.text(".badge").await.starts_with("Ends on "));
    browser.picture("desktop-ending").await;
    assert!(!browser.has("a[href='/billing/cancel']").await, "nothing is left to cancel");
    browser.open(&shop.at("/chat")).await;
    browser.see("[data-entitled=true]").await;
    assert_eq!((shop.sessions(), shop.made("checkout.session.completed")), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_works_on_a_phone_without_javascript() {
    let Some(browser) = start("purchase without JavaScript", PHONE).await else { return };
    let shop = Shop::open(|_| {}).await;
    let page = browser.mute().await;
    page.open("data:text/html,<p id=p>off</p><script>p.textContent='on'</script>").await;
    assert!(page.markup("#p").await.contains("off"), "JavaScript is off");
    page.open(&shop.at("/")).await;
    page.fill("#email", "grace@example.com").await;
    page.fill("#user", "grace").await;
    assert!(page.fits().await);
    page.picture("phone-sign-up").await;
    page.click("main button[type=submit]").await;
    page.see("input[name=card]").await;
    assert!(page.fits().await);
    page.picture("phone-checkout").await;
    shop.hold(true);
    page.click("button[type=submit]").await;
    page.see("[data-activation=pending]").await;
    assert!(page.fits().await);
    page.picture("phone-pending").await;
    shop.hold(false);
    page.see("[data-activation=active]").await;
    page.picture("phone-active").await;
    page.open(&shop.at("/billing")).await;
    page.see("[data-billing=active]").await;
    assert!(page.fits().await);
    page.picture("phone-billing").await;
    page.click("a[href='/billing/cancel']").await;
    page.see("form[action='/billing/cancel']").await;
    page.picture("phone-cancel").await;
    page.click("form[action='/billing/cancel'] button").await;
    page.see("[data-billing=ending]").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_double_click_opens_one_session_and_pays_once() {
    let Some(browser) = start("double click in a browser", DESKTOP).await else { return };
    let mut shop = Shop::open(|_| {}).await;
    browser.open(&shop.at("/")).await;
    browser.fill("#email", "joan@example.com").await;
    browser.fill("#user", "joan").await;
    double_click(&browser, "main button[type=submit]").await;
    browser.see("input[name=card]").await;
    a_while().await;
    assert_eq!(shop.sessions(), 1);
    browser.see("input[name=card]").await;
    double_click(&browser, "button[type=submit]").await;
    browser.see("[data-activation=active]").await;
    a_while().await;
    assert_eq!(shop.made("checkout.session.completed"), 1);
    assert_eq!(shop.made("customer.subscription.created"), 1);
}

async fn double_click(browser: &Browser, css: &str) {
    browser.see(css).await;
    let button = browser.client.find(fantoccini::Locator::Css(css)).await.expect("a button");
    let press = || PointerAction::Down { button: fantoccini::actions::MOUSE_BUTTON_LEFT };
    let release = || PointerAction::Up { button: fantoccini::actions::MOUSE_BUTTON_LEFT };
    let mouse = MouseActions::new("mouse".to_owned())
        .then(PointerAction::MoveToElement { element: button, duration: None, x: 0.0, y: 0.0 })
        .then(press())
        .then(release())
        .then(press())
        .then(release());
    browser.client.perform_actions(mouse).await.expect("clicked twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_tab_and_another_browser_lose_nothing() {
    let Some(first) = start("closed tab in a browser", DESKTOP).await else { return };
    let Some(second) = start("another browser", PHONE).await else { return };
    let shop = Shop::open(|_| {}).await;
    shop.hold(true);
    sign_up(&first, &shop, "mary").await;
    pay(&first).await;
    let landed = first.url().await;
    let other = first.client.new_window(true).await.expect("a tab");
    first.client.close_window().await.expect("closed");
    first.client.switch_to_window(other.handle).await.expect("the other tab");
    second.open(&landed).await;
    second.see("[data-activation=pending]").await;
    shop.hold(false);
    second.see("[data-activation=active]").await;
    first.open(&shop.at("/billing")).await;
    first.see("[data-billing=active]").await;
    // The link shows that it is paid; it does not make the other browser the person's.
    second.open(&shop.at("/billing")).await;
    second.see("[data-billing=nobody]").await;
    second.open(&shop.at("/")).await;
    second.fill("#email", "mary@example.com").await;
    second.fill("#user", "mary").await;
    second.click("main button[type=submit]").await;
    second.see("[role=alert]").await;
    assert!(second.text("#user-wrong").await.contains("taken"));
    second.picture("phone-taken").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_card_a_way_back_and_a_strange_link_have_their_words() {
    let Some(browser) = start("declined card in a browser", PHONE).await else { return };
    let shop = Shop::open(|_| {}).await;
    sign_up(&browser, &shop, "edith").await;
    assert!(browser.fits().await);
    browser.click("input[value=declined]").await;
    browser.click("button[type=submit]").await;
    assert!(browser.text("[role=alert]").await.contains("declined"));
    browser.picture("phone-declined").await;
    browser.click("main a").await;
    assert!(browser.text("[role=status]").await.contains("Nothing was charged"));
    browser.open(&shop.at("/checkout/success?session_id=nonsense")).await;
    browser.see("[data-activation=unknown]").await;
    // The open session goes on where it was, and a good card opens the door.
    sign_up(&browser, &shop, "edith").await;
    browser.click("input[value=good]").await;
    pay(&browser).await;
    browser.see("[data-activation=active]").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_stripe_does_not_answer_the_page_is_calm_and_can_be_sent_again() {
    let Some(browser) = start("Stripe's outage in a browser", DESKTOP).await else { return };
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = silent.local_addr().expect("an address");
    let shop = Shop::open(|config| {
        config.stripe_url = Some(format!("http://{address}"));
        config.call_timeout = std::time::Duration::from_millis(300);
    })
    .await;
    browser.open(&shop.at("/")).await;
    browser.fill("#email", "lise@example.com").await;
    browser.fill("#user", "lise").await;
    browser.click("main button[type=submit]").await;
    assert!(browser.text("h1").await.contains("does not answer"));
    browser.picture("desktop-outage").await;
    browser.click("form[action='/signup'] button").await;
    assert!(browser.text("h1").await.contains("does not answer"));
    assert_eq!(shop.made("checkout.session.completed"), 0);
}
