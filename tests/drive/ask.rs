//! What a database is asked: values are bound, types become JSON, a probe changes nothing, what is gone is said to be gone.

use hookdrill::{
    drive::{
        ask::{
            Answered, AskError, Asker, Question,
            sql::{Database, Sql},
        },
        template::Given,
    },
    plan::model::Instance,
};
use serde_json::{Value, json};
use std::path::Path;

const NAMES: [&str; 6] = ["customer", "user", "email", "subscription", "session", "key"];

/// A customer whose id is what somebody would type who wants to see the whole table, or to be rid of it.
fn instance(customer: &str) -> Instance {
    Instance {
        id: "purchase/1".into(),
        story: "purchase".to_owned(),
        continues: None,
        person: "purchase/1".into(),
        user: None,
        email: Some("a@example.com".to_owned()),
        customer: Some(customer.into()),
        subscription: None,
        session: None,
        completes_with: None,
        failed_invoices: Vec::new(),
        end: None,
        turns: Vec::new(),
        ghost: false,
    }
}

fn question(sql: &str, database: &Database) -> Question {
    Question::Sql { sql: Sql::parse(sql, &NAMES).expect(sql), database: database.clone() }
}

async fn read(asker: &Asker, sql: &str, database: &Database, customer: &str) -> Result<Option<Value>, AskError> {
    let asked = asker.read(&question(sql, database), &Given::default(), Some(&instance(customer))).await?;
    Ok(match asked {
        Answered::Unknown => None,
        Answered::Known { value, .. } => Some(value),
    })
}

async fn tell(asker: &Asker, sql: &str, database: &Database, customer: &str) -> Result<(), AskError> {
    asker.tell(&question(sql, database), &Given::default(), Some(&instance(customer))).await
}

const HOSTILE: [&str; 3] = ["' or '1'='1", "x'; drop table customers; --", "\u{fc}\"\\$1?1"];

async fn hostile_values_are_only_values(asker: &Asker, database: &Database) {
    for customer in HOSTILE {
        let sql = "select id from customers where id = :customer";
        assert_eq!(read(asker, sql, database, customer).await, Ok(None), "{customer}");
        tell(asker, "insert into customers (id) values (:customer)", database, customer).await.expect(customer);
        assert_eq!(read(asker, sql, database, customer).await, Ok(Some(json!({ "id": customer }))));
    }
}

fn file(path: &Path) -> Database {
    Database::Sqlite(path.display().to_string())
}

#[tokio::test]
async fn sqlite_is_asked_with_bound_values_and_only_read() {
    let folder = crate::cli::scratch();
    let path = folder.path().join("app.db");
    let database = file(&path);
    let asker = Asker::default();
    let absent = read(&asker, "select 1", &database, "c").await.expect_err("no file yet");
    assert!(matches!(&absent, AskError::Failed(why) if why.contains("there is no SQLite file")), "{absent:?}");
    assert!(!path.exists(), "a probe makes no file");
    let app = rusqlite::Connection::open(&path).expect("a database");
    app.execute_batch(
        "pragma journal_mode = wal;
         create table customers (id text, n integer, r real, b blob, j json, t text, none text, yes boolean);
         insert into customers values ('c', 7, 0.5, x'00ff', '{\"a\": [1]}', 'ü', null, true);",
    )
    .expect("filled");
    let row = read(&asker, "select * from customers where id = :customer -- :nobody\n", &database, "c").await;
    let wanted = json!({"id": "c", "n": 7, "r": 0.5, "b": "00ff", "j": {"a": [1]}, "t": "ü", "none": null, "yes": 1});
    assert_eq!(row, Ok(Some(wanted)));
    assert_eq!(read(&asker, "select n from customers where n = :key", &database, "7").await, Ok(Some(json!({"n": 7}))));
    hostile_values_are_only_values(&asker, &database).await;
    let written = read(&asker, "delete from customers returning id", &database, "c").await.expect_err("only read");
    assert!(written.to_string().contains("readonly"), "{written}");
    let lacking = read(&asker, "select :user", &database, "c").await.expect_err("no user");
    assert_eq!(lacking, AskError::Lacking("the story of purchase/1 has no {user}".to_owned()));
    drop(app);
    std::fs::remove_file(&path).expect("removed");
    let gone = read(&asker, "select 1", &database, "c").await.expect_err("gone");
    assert!(matches!(&gone, AskError::Gone(why) if why.ends_with("app.db any more")), "{gone:?}");
}

#[tokio::test]
async fn an_sqlite_file_that_a_crash_left_in_the_middle_of_a_transaction_is_read() {
    let folder = crate::cli::scratch();
    let (path, crashed) = (folder.path().join("app.db"), folder.path().join("crashed.db"));
    let app = rusqlite::Connection::open(&path).expect("a database");
    app.execute_batch("pragma cache_size = 1; create table t (id text, x text); insert into t values ('c', 'kept');")
        .expect("filled");
    // Enough that pages are written before the commit; then both files are what a crash leaves.
    app.execute_batch("begin; update t set x = 'lost';").expect("begun");
    for _ in 0..200 {
        app.execute("insert into t values ('d', ?)", [&"y".repeat(500)]).expect("inserted");
    }
    std::fs::copy(&path, &crashed).expect("copied");
    std::fs::copy(folder.path().join("app.db-journal"), folder.path().join("crashed.db-journal")).expect("a journal");
    let row = read(&Asker::default(), "select x from t where id = :customer", &file(&crashed), "c").await;
    assert_eq!(row, Ok(Some(json!({"x": "kept"}))));
}

#[cfg(unix)]
#[test]
fn postgresql_is_asked_with_bound_values_and_only_read() {
    // The server is started, asked and stopped beside the runtime: its client has one of its own.
    let Some(server) = crate::service::postgres::private("probes of a PostgreSQL", &[]) else { return };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (asker, database) = runtime.block_on(bound_and_read(server.url()));
    // A connection that somebody has cut is made again.
    let cut = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'hookdrill'";
    server.client().expect("a connection").batch_execute(cut).expect("cut");
    let one = || runtime.block_on(read(&asker, "select 1 as one", &database, "c"));
    assert_eq!(one(), Ok(Some(json!({"one": 1}))));
    drop(server);
    let gone = one().expect_err("gone");
    assert!(matches!(gone, AskError::Gone(_)), "{gone:?}");
}

#[cfg(unix)]
async fn bound_and_read(url: String) -> (Asker, Database) {
    let database = Database::Postgres { url, root_certificates: None };
    let asker = Asker::default();
    tell(
        &asker,
        "create table customers (id text, n bigint, m numeric, u uuid, ok boolean, at timestamptz, j jsonb, nothing text);
         insert into customers values ('c', 9007199254740993, 12.50, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', true,
             '2026-01-02 03:04:05+00', '{\"a\": [1]}', null)",
        &database,
        "c",
    )
    .await
    .expect("made");
    let sql = "select n, m, u, ok, at at time zone 'utc' as at, j, nothing, ':user' as quoted, 1::int as cast
        from customers where id = :customer and :customer <> ''; ";
    let row = read(&asker, sql, &database, "c").await.expect("a row").expect("known");
    assert_eq!(row["n"].to_string(), "9007199254740993");
    assert_eq!((row["m"].as_f64(), &row["ok"], &row["nothing"]), (Some(12.5), &json!(true), &Value::Null));
    assert_eq!((&row["at"], &row["j"]["a"][0]), (&json!("2026-01-02T03:04:05"), &json!(1)));
    assert_eq!((&row["quoted"], &row["cast"]), (&json!(":user"), &json!(1)));
    let by_number = read(&asker, "select id from customers where n = :key", &database, "9007199254740993").await;
    assert_eq!(by_number, Ok(Some(json!({"id": "c"}))), "a text fits a column of whatever type");
    hostile_values_are_only_values(&asker, &database).await;
    let written = read(&asker, "with gone as (delete from customers returning id) select * from gone", &database, "c");
    let written = written.await.expect_err("only read").to_string();
    assert!(written.contains("read-only transaction") || written.contains("top level"), "{written}");
    (asker, database)
}
