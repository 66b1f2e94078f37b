//! Deliberate defects, each changing one decision of the service. They exist to prove that a suite would notice.
//!
//! Must not know: how a defect is found.

use std::collections::BTreeSet;

macro_rules! defects {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $class:literal, $anomaly:literal;)+) => {
        /// One deliberate defect.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Defect {
            $($(#[$doc])* $variant,)+
        }

        impl Defect {
            /// Every defect, by class number.
            pub const fn all() -> &'static [Self] {
                &[$(Self::$variant),+]
            }

            /// Its name on the command line.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// The number of the bug class that it stands for.
            pub const fn class(self) -> u32 {
                match self {
                    $(Self::$variant => $class,)+
                }
            }

            /// The name of the anomaly that a sound judge should give what it does.
            pub const fn anomaly(self) -> &'static str {
                match self {
                    $(Self::$variant => $anomaly,)+
                }
            }
        }
    };
}

defects! {
    /// Every delivery is handled as a new event: a copy opens another ticket and counts another purchase.
    NoDedupe = "no-dedupe", 1, "duplicate";
    /// Event ids are remembered by the process only: a restart forgets them.
    DedupeInMemory = "dedupe-in-memory", 2, "duplicate";
    /// Whether the event is known is asked first and written later, in another transaction.
    CheckThenInsert = "check-then-insert", 3, "duplicate";
    /// The event is marked as seen first and applied later, in another transaction; a retry is answered 200.
    SeenIsApplied = "seen-is-applied", 4, "lost";
    /// Events are known by their body: one that comes again in another spelling counts as new.
    DedupeByBody = "dedupe-by-body", 6, "duplicate";
    /// The first invoice of a subscription counts as a purchase beside the Checkout that it belongs to.
    InvoiceBuysToo = "invoice-buys-too", 7, "duplicate";
    /// What was seen is forgotten after a day.
    DedupeExpires = "dedupe-expires", 9, "duplicate";
    /// An event is known at the endpoint at which it came: a second endpoint counts it again.
    EndpointsCounted = "endpoints-counted", 10, "duplicate";
    /// The subscription snapshot that arrives last wins, however old it is.
    LastArrivalWins = "last-arrival-wins", 11, "stale";
    /// Updates of a subscription wait a second and then win: a pause instead of an order.
    PauseForOrder = "pause-for-order", 12, "stale";
    /// Of two snapshots of one second, the one that arrives first stays.
    StrictlyNewerWins = "strictly-newer-wins", 13, "stale";
    /// Of two snapshots the one whose event id sorts last wins.
    EventIdAsClock = "event-id-as-clock", 15, "stale";
    /// Snapshots are put in order by the time at which the subscription was made, which they share.
    ObjectTimeAsClock = "object-time-as-clock", 16, "stale";
    /// An update that arrives after the deletion revives the subscription.
    UpdateRevives = "update-revives", 18, "resurrected";
    /// The end of a subscription ends all that its customer has.
    DeletionEndsAll = "deletion-ends-all", 19, "lost";
    /// An invoice or a subscription whose customer is not known yet fails.
    ChildNeedsParent = "child-needs-parent", 21, "late";
    /// Who a customer is, is read from the Checkout alone.
    KeyOnlyInCheckout = "key-only-in-checkout", 22, "orphan";
    /// Of what is told of a refund the last to arrive counts, however old it is.
    LastWordOnRefund = "last-word-on-refund", 23, "stale";
    /// Two events that make one customer at the same time: the second one fails.
    CreateCollides = "create-collides", 25, "unbounded redelivery";
    /// Two events that make one customer at the same time: the second one goes on without what it could not write.
    LoserGoesOn = "loser-goes-on", 26, "lost";
    /// Two events of one customer at the same time lock each other out: the second one fails.
    LocksCross = "locks-cross", 28, "unbounded redelivery";
    /// Jobs are committed before the state they need; a worker that finds no state drops its job.
    JobBeforeCommit = "job-before-commit", 29, "lost";
    /// Jobs are written in a transaction after the one of the state.
    JobAfterCommit = "job-after-commit", 30, "lost";
    /// 200 first; the event waits in memory and is persisted a moment later.
    AckBeforePersist = "ack-before-persist", 31, "lost";
    /// 200 once the commit is written but before it is on disk: a power cut takes back what was promised.
    CommitNotSynced = "commit-not-synced", 31, "lost";
    /// A lease that has run out is never taken over.
    LeaseNeverReclaimed = "lease-never-reclaimed", 32, "lost";
    /// A ticket is opened without a key and without looking for one after an uncertain attempt.
    TicketNotKeyed = "ticket-not-keyed", 34, "duplicate";
    /// After an uncertain attempt the task in the CRM is made again, without looking for it.
    TaskNotSearched = "task-not-searched", 34, "duplicate";
    /// A job that was given up is never taken up again.
    DeadStaysDead = "dead-stays-dead", 36, "lost";
    /// An error of the store is caught, and the delivery answered 200.
    ErrorsAnswered200 = "errors-answered-200", 37, "lost";
    /// A body that is no event is acknowledged.
    MalformedAccepted = "malformed-accepted", 37, "unsafe error";
    /// An event of another account or mode belongs to no tenant, and fails each time that it comes.
    ForeignFails = "foreign-fails", 38, "unbounded redelivery";
    /// A Checkout that ends without a Stripe customer fails, as it will for ever.
    CheckoutWithoutCustomerFails = "checkout-without-customer-fails", 38, "unbounded redelivery";
    /// A body that is no event is taken for a failure of the service, and repeated.
    MalformedFails = "malformed-fails", 38, "unsafe error";
    /// A request to support that no rule speaks for is opened in no queue.
    NoDefaultQueue = "no-default-queue", 39, "lost";
    /// An event of a type that it has no use for fails.
    UnknownTypeFails = "unknown-type-fails", 39, "unbounded redelivery";
    /// 200 waits until the CRM has taken what the event brought.
    CallsBeforeAck = "calls-before-ack", 41, "late";
    /// The address with a slash at its end redirects to the one without.
    RedirectsSlash = "redirects-slash", 42, "late";
    /// What reached the proxy over plain HTTP is redirected to https.
    RedirectsPlainHttp = "redirects-plain-http", 42, "late";
    /// The middleware for forms wants a cookie and a token before the signature is looked at.
    CsrfInFront = "csrf-in-front", 43, "unbounded redelivery";
    /// What stands in front of the webhook takes bodies of 100 kB at most.
    SmallBodies = "small-bodies", 43, "unbounded redelivery";
    /// Runs as if the endpoint's secret were unset, and takes whatever comes.
    SecretUnsetAcceptsAll = "secret-unset-accepts-all", 44, "forged";
    /// Runs as if the endpoint's secret were unset, and fails at every delivery.
    SecretUnsetFails = "secret-unset-fails", 44, "unbounded redelivery";
    /// What carries no signature at all is not verified.
    UnsignedAccepted = "unsigned-accepted", 44, "forged";
    /// The signature is verified against the body parsed and written anew.
    BodyReserialised = "body-reserialised", 45, "unbounded redelivery";
    /// White space around the body is cut off before the signature is verified.
    BodyTrimmed = "body-trimmed", 45, "unbounded redelivery";
    /// Of several `v1` only the first is considered.
    FirstV1Only = "first-v1-only", 46, "unbounded redelivery";
    /// Of several `v1` only the last is considered.
    LastV1Only = "last-v1-only", 46, "unbounded redelivery";
    /// A good signature is good for ever.
    NoTolerance = "no-tolerance", 47, "forged";
    /// A signature may be of any time to come.
    OneSidedTolerance = "one-sided-tolerance", 48, "forged";
    /// The event's id is stored before the signature is verified.
    ForgedMarksSeen = "forged-marks-seen", 50, "poisoned";
    /// Events of another API version than the one that the code was written for fail.
    VersionPinned = "version-pinned", 51, "unbounded redelivery";
    /// A subscription without the end of its period at the top level, where basil has none, says nothing.
    PeriodAtTopLevel = "period-at-top-level", 52, "lost";
    /// A subscription without the end of its period on its items, where older versions have none, says nothing.
    PeriodOnItemsOnly = "period-on-items-only", 52, "lost";
    /// An invoice without `subscription` at the top level, where basil has none, says nothing.
    InvoiceOldPath = "invoice-old-path", 53, "lost";
    /// An invoice of no subscription fails.
    InvoiceWithoutSubscriptionFails = "invoice-without-subscription-fails", 54, "unbounded redelivery";
    /// A value that was not there when the code was written fails the event.
    ClosedEnums = "closed-enums", 55, "unbounded redelivery";
    /// A field that was not there when the code was written fails the event.
    ClosedFields = "closed-fields", 55, "unbounded redelivery";
    /// Refunds are not handled.
    RefundIgnored = "refund-ignored", 57, "lost";
    /// Of refunds only `charge.refunded` is handled: that one failed is never heard.
    OnlyChargeRefunded = "only-charge-refunded", 57, "lost";
    /// A refund that is heard of before the payment is dropped.
    EarlyRefundDropped = "early-refund-dropped", 57, "resurrected";
    /// A refund in part counts as a full one.
    PartialRefundRevokes = "partial-refund-revokes", 57, "lost";
    /// Disputes are not handled.
    DisputeIgnored = "dispute-ignored", 59, "lost";
    /// Of disputes only `closed` is handled.
    DisputeOpenedIgnored = "dispute-opened-ignored", 59, "lost";
    /// A dispute takes the access when it is opened.
    OpenDisputeRevokes = "open-dispute-revokes", 59, "lost";
    /// A completed Checkout is provisioned whether it is paid or not.
    ProvisionsUnpaid = "provisions-unpaid", 60, "premature";
    /// The payment that follows an unpaid Checkout is not handled.
    LaterPaymentIgnored = "later-payment-ignored", 60, "lost";
    /// Whoever has a price has the access, paid or not.
    EntitledByPrice = "entitled-by-price", 61, "premature";
    /// The end of a subscription is not handled.
    DeletionIgnored = "deletion-ignored", 61, "lost";
    /// An invoice of nothing counts as a payment.
    ZeroInvoicePays = "zero-invoice-pays", 62, "lost";
    /// Yen are multiplied by a hundred, as if Stripe sent whole units of a currency without hundredths.
    YenTimesHundred = "yen-times-hundred", 62, "duplicate";
    /// Events of the other mode are applied.
    LivemodeNotChecked = "livemode-not-checked", 63, "cross-tenant";
    /// Events of connected accounts are applied.
    AccountNotChecked = "account-not-checked", 63, "cross-tenant";
    /// Every event creates a contact: no search, no stored id, the e-mail in another field so that the CRM cannot object.
    ContactOnEveryEvent = "contact-on-every-event", 64, "duplicate";
    /// The e-mail of a contact is written where the CRM does not keep it unique: a search that lags makes a second one.
    EmailNotUnique = "email-not-unique", 64, "duplicate";
    /// The CRM's word that the contact exists already is taken for a failure.
    ConflictIsFailure = "conflict-is-failure", 64, "stale";
    /// Reconciliation stops at the first event that it knows: one that was lost before it stays lost.
    ReconcileStopsEarly = "reconcile-stops-early", 66, "lost";
    /// A look at Stripe's list that failed counts as one that found nothing: what it missed is not looked for again.
    FailedSyncSucceeds = "failed-sync-succeeds", 66, "lost";
}

impl Defect {
    /// The defect of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().iter().copied().find(|defect| defect.name() == name)
    }
}

/// The defects that are switched on; none in the sound service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Defects(BTreeSet<Defect>);

impl Defects {
    /// No defect: the sound service.
    pub const fn none() -> Self {
        Self(BTreeSet::new())
    }

    /// Whether `defect` is switched on.
    pub fn has(&self, defect: Defect) -> bool {
        self.0.contains(&defect)
    }
}

impl FromIterator<Defect> for Defects {
    fn from_iter<I: IntoIterator<Item = Defect>>(defects: I) -> Self {
        Self(defects.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_found_again() {
        let names: BTreeSet<_> = Defect::all().iter().map(|d| d.name()).collect();
        assert_eq!(names.len(), Defect::all().len());
        for defect in Defect::all() {
            assert_eq!(Defect::named(defect.name()), Some(*defect));
        }
        assert_eq!(Defect::named("none"), None);
    }
}
