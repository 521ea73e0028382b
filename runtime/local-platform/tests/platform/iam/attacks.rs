//! Requests that are made to do harm, and those that are only wrong.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::Method;
use serde_json::{Value, json};

use super::{administrator, assert_refused, capability, names, principal};
use crate::support::{Local, json as body};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

/// Posts bytes that say they are packed.
async fn post_packed(local: &Local, path: &str, bytes: Vec<u8>) -> (u16, Value) {
    let request = local.request(Method::POST, &format!("/api/v1/projects/local/{path}"));
    let request = request.header("content-type", "application/json").header("content-encoding", "gzip");
    let response = request.body(bytes).send().await.unwrap();
    (response.status().as_u16(), body(response).await)
}

#[tokio::test]
async fn a_packed_body_is_one_like_another_and_a_bomb_is_too_large() {
    let local = Local::start().await;
    let new = json!({"items": [{"name": "packed"}]}).to_string();
    assert_eq!(post_packed(&local, "securitycategories", gzip(new.as_bytes())).await.0, 200);
    assert_eq!(names(&administrator(&local).items("securitycategories").await), ["packed"]);
    let bomb = gzip(&vec![b' '; (16 << 20) + 1]);
    assert!(bomb.len() < 100_000);
    assert_refused(&post_packed(&local, "securitycategories", bomb).await, 413, &json!({}));
    // A thousand groups have room.
    let large = json!({"items": [{"name": "large", "note": "x".repeat(4 << 20)}]});
    let owner = administrator(&local);
    assert_eq!(owner.post("securitycategories", &large).await.0, 200);
    assert_eq!(owner.post("securitycategories/delete", &json!({"items": [2]})).await.0, 200);
    for broken in [new.into_bytes(), gzip(b"{\"items\": [{\"name\": \"cut\"}]}")[..20].to_vec(), Vec::new()] {
        assert_refused(&post_packed(&local, "securitycategories", broken).await, 400, &json!({}));
    }
    assert_eq!(administrator(&local).items("securitycategories").await.len(), 1);
}

#[tokio::test]
async fn a_request_has_so_many_items() {
    let local = Local::start().await;
    let owner = administrator(&local);
    for (path, item, most) in [
        ("groups", json!({"name": "g"}), 1000),
        ("groups/delete", json!(1), 1000),
        ("securitycategories", json!({"name": "c"}), 1000),
        ("securitycategories/delete", json!(1), 1000),
        ("sessions", json!({"tokenExchange": true}), 1),
        ("sessions/byids", json!({"id": 1}), 1000),
        ("sessions/revoke", json!({"id": 1}), 100),
        ("profiles/byids", json!({"userIdentifier": "u"}), 1000),
    ] {
        for count in [0, most + 1] {
            let refused = owner.post(path, &json!({"items": vec![item.clone(); count]})).await;
            assert_refused(&refused, 400, &json!({}));
            let message = refused.1["error"]["message"].as_str().unwrap();
            let so_many = if most == 1 { "one item".to_owned() } else { format!("1 to {most} items") };
            assert_eq!(message, format!("a request has {so_many}, and not {count}"), "{path}");
        }
        for body in
            [json!({}), json!([]), json!({"items": {}}), json!({"items": [[]]}), json!({"items": null}), json!(1)]
        {
            assert_refused(&owner.post(path, &body).await, 400, &json!({}));
        }
        // What is missing is named; what is there may be secret.
        let refused = owner.post(path, &json!({"other": "value"})).await;
        let message = refused.1["error"]["message"].as_str().unwrap();
        assert!(message.contains("missing field `items`") && !message.contains("value"), "{path}: {message}");
    }
}

#[tokio::test]
async fn ids_are_whole_numbers_and_huge_ones_are_not_there() {
    let local = Local::start().await;
    let owner = administrator(&local);
    for (path, is_object) in [
        ("groups/delete", false),
        ("securitycategories/delete", false),
        ("sessions/byids", true),
        ("sessions/revoke", true),
    ] {
        let item = |id: Value| if is_object { json!({"id": id}) } else { id };
        for id in [i64::MAX, i64::MIN, 1 << 53] {
            let refused = owner.post(path, &json!({"items": [item(id.into())]})).await;
            assert_refused(&refused, 400, &json!({"missing": [{"id": id}]}));
        }
        for id in [json!(u64::MAX), json!(1e300), json!(1.5), json!("1"), json!("../../x"), json!(null), json!([1])] {
            assert_refused(&owner.post(path, &json!({"items": [item(id)]})).await, 400, &json!({}));
        }
    }
}

#[tokio::test]
async fn cursors_of_others_and_invented_ones_are_refused() {
    let local = Local::start().await;
    let owner = administrator(&local);
    owner.create("securitycategories", &json!([{"name": "a"}, {"name": "b"}])).await;
    owner.post_in("other", "securitycategories", &json!({"items": [{"name": "x"}, {"name": "y"}]})).await;
    for _ in 0..2 {
        owner.create("sessions", &json!([{"tokenExchange": true}])).await;
    }
    principal(&local, "ann", &[]).await;
    let cursor = async |project: &str, path: &str| {
        let (status, page) = owner.get_in(project, path).await;
        assert_eq!(status, 200);
        page["nextCursor"].as_str().unwrap().to_owned()
    };
    let mut cursors = vec![
        cursor("other", "securitycategories?limit=1").await,
        cursor("local", "securitycategories?limit=1&sort=DESC").await,
        cursor("local", "sessions?limit=1").await,
        cursor("local", "profiles?limit=1").await,
    ];
    let invented = ["", "x", "!", "a%00b", "%F0%9F%A6%80"].map(str::to_owned);
    cursors.extend(invented);
    cursors.extend(["", "{}", "[]", "[1,2]", "[\"a\"]"].map(|text| URL_SAFE_NO_PAD.encode(text)));
    cursors.push(URL_SAFE_NO_PAD.encode([0xff, 0xfe]));
    for cursor in cursors {
        let refused = owner.get(&format!("securitycategories?limit=1&cursor={cursor}")).await;
        assert_refused(&refused, 400, &json!({}));
    }
    let own = cursor("local", "securitycategories?limit=1").await;
    assert_eq!(owner.get(&format!("securitycategories?limit=1&cursor={own}")).await.0, 200);
    // One that leads nowhere is no way past the rights.
    let ann = principal(&local, "eve", &[]).await;
    assert_refused(&ann.get(&format!("securitycategories?cursor={own}")).await, 403, &json!({}));
}

#[tokio::test]
async fn nobody_gives_themselves_rights() {
    let local = Local::start().await;
    let owner = administrator(&local);
    // Neither an empty source, nor a name that is nearly the own one, nor the name of somebody else makes one a member.
    let everything = capability("groupsAcl", "CREATE", &json!({"all": {}}));
    owner
        .create(
            "groups",
            &json!([
                {"name": "g", "sourceId": "", "capabilities": [everything]},
                {"name": "h", "members": [], "capabilities": [everything]},
                {"name": "i", "members": ["eve "], "capabilities": [everything]},
            ]),
        )
        .await;
    let subject = owner.inspection().await["subject"].as_str().unwrap().to_owned();
    let eve = principal(&local, "eve", &["G", &subject]).await;
    assert_eq!(eve.get("groups").await, (200, json!({"items": []})));
    assert_refused(&eve.post("groups", &json!({"items": [{"name": "x"}]})).await, 403, &json!({}));
    for path in ["/local-platform/v1/principals", "/local-platform/v1/principals?name=eve"] {
        let (status, _) = eve.send(Method::POST, path, &json!({"name": "x", "x": "x", "groups": ["g"]})).await;
        assert_eq!(status, 403);
    }
}

#[tokio::test]
async fn paths_and_methods_that_are_none_are_refused_in_the_form_of_the_api() {
    let local = Local::start().await;
    let owner = administrator(&local);
    let project = "p".repeat(81);
    for (method, path, status) in [
        (Method::PUT, "/api/v1/projects/local/groups", 405),
        (Method::DELETE, "/api/v1/projects/local/sessions", 405),
        (Method::GET, "/api/v1/projects/local/groups/delete", 405),
        (Method::GET, "/api/v1/projects/local/groups/7", 404),
        (Method::GET, "/api/v1/projects/local", 404),
        (Method::GET, "/api/v1/projects//groups", 400),
        (Method::GET, "/api/v1/projects/a%0Ab/groups", 400),
        (Method::GET, &format!("/api/v1/projects/{project}/groups"), 400),
        (Method::GET, "/api/v1/projects/%FF/groups", 400),
    ] {
        assert_refused(&owner.send(method.clone(), path, &Value::Null).await, status, &json!({}));
    }
}
