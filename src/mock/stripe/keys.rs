//! Who calls: API keys and what a restricted one may do.
//!
//! A key that begins with `rk_` has the scopes of [`Scopes`] and no others; any other key may do everything. Keys of live
//! mode are refused: nobody should send one to a double. Must not know: the double's state.

use super::refusal::Refusal;
use crate::wire::Request;
use base64::{Engine, engine::general_purpose::STANDARD};

/// What a key may be allowed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Read customers.
    CustomerRead,
    /// Make and change customers.
    CustomerWrite,
    /// Read Checkout sessions.
    CheckoutSessionRead,
    /// Open and expire Checkout sessions.
    CheckoutSessionWrite,
    /// Read subscriptions.
    SubscriptionRead,
    /// Change and cancel subscriptions.
    SubscriptionWrite,
    /// Read events.
    EventRead,
    /// Read invoices, their items and payments.
    InvoiceRead,
    /// Change, pay and void invoices.
    InvoiceWrite,
    /// Read charges, refunds and balance transactions.
    ChargeRead,
    /// Change charges and give money back.
    ChargeWrite,
    /// Read payment intents.
    PaymentIntentRead,
    /// Change payment intents.
    PaymentIntentWrite,
    /// Read setup intents.
    SetupIntentRead,
    /// Read payment methods.
    PaymentMethodRead,
    /// Read disputes.
    DisputeRead,
    /// Read prices and plans.
    PriceRead,
    /// Read products.
    ProductRead,
    /// Open sessions of the customer portal.
    PortalWrite,
}

impl Scope {
    /// Name of the permission, as Stripe writes it in a refusal.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CustomerRead => "rak_customer_read",
            Self::CustomerWrite => "rak_customer_write",
            Self::CheckoutSessionRead => "rak_checkout_session_read",
            Self::CheckoutSessionWrite => "rak_checkout_session_write",
            Self::SubscriptionRead => "rak_subscription_read",
            Self::SubscriptionWrite => "rak_subscription_write",
            Self::EventRead => "rak_event_read",
            Self::InvoiceRead => "rak_invoice_read",
            Self::InvoiceWrite => "rak_invoice_write",
            Self::ChargeRead => "rak_charge_read",
            Self::ChargeWrite => "rak_charge_write",
            Self::PaymentIntentRead => "rak_payment_intent_read",
            Self::PaymentIntentWrite => "rak_payment_intent_write",
            Self::SetupIntentRead => "rak_setup_intent_read",
            Self::PaymentMethodRead => "rak_payment_method_read",
            Self::DisputeRead => "rak_dispute_read",
            Self::PriceRead => "rak_plan_read",
            Self::ProductRead => "rak_product_read",
            Self::PortalWrite => "rak_customer_portal_write",
        }
    }

    const fn bit(self) -> u32 {
        1 << (self as u32)
    }

    /// The scope that allows at least as much; writing includes reading.
    const fn stronger(self) -> Self {
        match self {
            Self::CustomerRead | Self::CustomerWrite => Self::CustomerWrite,
            Self::CheckoutSessionRead | Self::CheckoutSessionWrite => Self::CheckoutSessionWrite,
            Self::SubscriptionRead | Self::SubscriptionWrite => Self::SubscriptionWrite,
            Self::InvoiceRead | Self::InvoiceWrite => Self::InvoiceWrite,
            Self::ChargeRead | Self::ChargeWrite => Self::ChargeWrite,
            Self::PaymentIntentRead | Self::PaymentIntentWrite => Self::PaymentIntentWrite,
            Self::EventRead
            | Self::SetupIntentRead
            | Self::PaymentMethodRead
            | Self::DisputeRead
            | Self::PriceRead
            | Self::ProductRead
            | Self::PortalWrite => self,
        }
    }
}

/// A set of scopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Scopes(u32);

impl Scopes {
    /// Nothing at all.
    pub const NONE: Self = Self(0);

    /// Everything.
    pub const fn all() -> Self {
        Self(u32::MAX)
    }

    /// Exactly these.
    pub fn of(scopes: &[Scope]) -> Self {
        Self(scopes.iter().fold(0, |bits, scope| bits | scope.bit()))
    }

    /// What the reference service's one key needs.
    pub fn of_the_service() -> Self {
        Self::of(&[Scope::CheckoutSessionWrite, Scope::SubscriptionWrite, Scope::EventRead])
    }

    /// Whether `scope` is granted, by itself or by a stronger one.
    pub const fn allows(self, scope: Scope) -> bool {
        self.0 & (scope.bit() | scope.stronger().bit()) != 0
    }
}

/// Checks the caller's key; `scopes` are those of restricted keys.
pub(super) fn check(request: &Request, scope: Scope, scopes: Scopes) -> Result<(), Refusal> {
    let key = key(request).ok_or_else(Refusal::no_key)?;
    let shown = shown(&key);
    if key.starts_with("sk_live") || key.starts_with("rk_live") {
        return Err(Refusal::bad_key(&format!("{shown} (a double takes no key of live mode)")));
    }
    if key.starts_with("rk_") && !scopes.allows(scope) {
        return Err(Refusal::not_permitted(&shown, scope.name()));
    }
    Ok(())
}

/// The key of `Authorization`: a bearer token, or the user name of basic authentication.
fn key(request: &Request) -> Option<String> {
    let (kind, value) = request.header("authorization")?.split_once(' ')?;
    let key = match kind.to_ascii_lowercase().as_str() {
        "bearer" => value.trim().to_owned(),
        "basic" => {
            let decoded = String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok()?;
            decoded.split(':').next().unwrap_or_default().to_owned()
        }
        _ => return None,
    };
    (!key.is_empty()).then_some(key)
}

/// Enough of a key to recognise it: the prefix and the last four characters.
fn shown(key: &str) -> String {
    let chars: Vec<char> = key.chars().collect();
    if chars.len() < 16 {
        return "****".to_owned();
    }
    let (head, tail): (String, String) = (chars[..8].iter().collect(), chars[chars.len() - 4..].iter().collect());
    format!("{head}{}{tail}", "*".repeat(chars.len() - 12))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(authorization: &str) -> Request {
        Request { headers: vec![("authorization".into(), authorization.into())], ..Request::default() }
    }

    #[test]
    fn bearer_and_basic_are_read() {
        assert_eq!(key(&with("Bearer sk_test_1")).as_deref(), Some("sk_test_1"));
        let basic = format!("Basic {}", STANDARD.encode("sk_test_1:"));
        assert_eq!(key(&with(&basic)).as_deref(), Some("sk_test_1"));
        for none in ["", "Bearer", "Bearer ", "Digest x", "Basic !!"] {
            assert_eq!(key(&with(none)), None, "{none}");
        }
    }

    #[test]
    fn writing_includes_reading_and_nothing_else() {
        let scopes = Scopes::of(&[Scope::CustomerWrite, Scope::EventRead]);
        assert!(scopes.allows(Scope::CustomerRead) && scopes.allows(Scope::EventRead));
        assert!(!scopes.allows(Scope::SubscriptionRead));
        assert!(!Scopes::of(&[Scope::CustomerRead]).allows(Scope::CustomerWrite));
        let restricted = with("Bearer rk_test_0123456789abcdef");
        assert!(check(&restricted, Scope::CustomerRead, scopes).is_ok());
        let refused = check(&restricted, Scope::SubscriptionWrite, scopes).expect_err("refused").response();
        let text = String::from_utf8_lossy(&refused.body).into_owned();
        assert_eq!(refused.status, 403);
        assert!(text.contains("rak_subscription_write") && !text.contains("0123456789abcdef"), "{text}");
        assert!(check(&with("Bearer sk_test_all"), Scope::SubscriptionWrite, Scopes::NONE).is_ok());
        assert!(check(&with(concat!("Bearer sk_li", "ve_x")), Scope::EventRead, Scopes::NONE).is_err());
    }
}
