//! Security categories.

use serde_json::json;
use skill_sdk::client::Order;
use skill_sdk::iam::{SecurityCategory, SecurityCategoryOptions, SecurityCategoryWrite};

use super::{answering, assert_only, iam, scripted};

#[tokio::test]
async fn security_categories_are_listed() {
    let list = json!({"items": [{"id": 1, "name": "secret", "new": 2}]});
    let server = answering(list.clone()).await;
    let categories = iam(&server).security_categories();
    let listed = categories.list().await.unwrap();
    assert_only(&server, "GET", "securitycategories?limit=25", None);
    assert_eq!((listed[0].id, listed[0].name.as_str()), (1, "secret"));
    assert_eq!(serde_json::to_value(&listed).unwrap(), list["items"]);
    assert_eq!(serde_json::to_value(listed[0].as_write()).unwrap(), json!({"name": "secret"}));
    for (order, word) in [(Order::Ascending, "ASC"), (Order::Descending, "DESC")] {
        let options = SecurityCategoryOptions::new().sort(order).limit(None);
        categories.list_with(&options).await.unwrap();
        assert_only(&server, "GET", &format!("securitycategories?sort={word}&limit=1000"), None);
    }
}

#[tokio::test]
async fn one_security_category_or_several_are_created() {
    let server = answering(json!({"items": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]})).await;
    let categories = iam(&server).security_categories();
    let one: SecurityCategory = categories.create(SecurityCategoryWrite::new("a")).await.unwrap();
    assert_eq!((one.id, one.name.as_str()), (1, "a"));
    assert_only(&server, "POST", "securitycategories", Some(json!({"items": [{"name": "a"}]})));
    let both = ["a", "b"].map(SecurityCategoryWrite::new);
    let several: Vec<SecurityCategory> = categories.create(both).await.unwrap();
    assert_eq!(several.len(), 2);
    assert_only(&server, "POST", "securitycategories", Some(json!({"items": [{"name": "a"}, {"name": "b"}]})));
    let taken = json!({"error": {"code": 409, "message": "m", "duplicated": [{"name": "a"}]}});
    let server = scripted([(409, taken)]).await;
    let error = iam(&server).security_categories().create(SecurityCategoryWrite::new("a")).await.unwrap_err();
    assert!(error.is_duplicated());
}

#[tokio::test]
async fn one_security_category_or_several_are_deleted() {
    let server = answering(json!({})).await;
    let categories = iam(&server).security_categories();
    categories.delete(1).await.unwrap();
    assert_only(&server, "POST", "securitycategories/delete", Some(json!({"items": [1]})));
    categories.delete(vec![1, 2]).await.unwrap();
    assert_only(&server, "POST", "securitycategories/delete", Some(json!({"items": [1, 2]})));
    let missing = json!({"error": {"code": 400, "message": "m", "missing": [{"id": 1}]}});
    let server = scripted([(400, missing)]).await;
    assert!(iam(&server).security_categories().delete(1).await.unwrap_err().is_not_found());
}
