//! Security categories (cdf-iam section 6, "Others").

use std::collections::{BTreeSet, HashSet};

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use skill_sdk::iam::{Acl, Action, Scope};

use super::items::{Items, check_duplicated, check_missing, record_name};
use super::page::PageQuery;
use super::rights::Rights;
use crate::answer::Refusal;
use crate::backend::Backend;
use crate::name::{Project, check_name};
use crate::principals::Caller;
use crate::query::Parameters;
use crate::records::{Collection, Lookup, StorageError};

const CATEGORIES: Collection<Category> = Collection::new("iam-security-categories");

#[derive(Clone, Serialize, Deserialize)]
struct Category {
    id: i64,
    name: String,
    /// Whatever else its creator said of it.
    #[serde(flatten)]
    other: Map<String, Value>,
}

/// One that is to be created.
#[derive(Deserialize)]
struct New {
    name: String,
    #[serde(flatten)]
    other: Map<String, Value>,
}

#[derive(Deserialize)]
struct Order {
    sort: Option<String>,
}

pub(crate) fn routes() -> Router<Backend> {
    Router::new()
        .route("/api/v1/projects/{project}/securitycategories", get(list).post(create))
        .route("/api/v1/projects/{project}/securitycategories/delete", post(delete))
}

/// By ids, the order in which they were created, or in the reverse.
async fn list(
    State(backend): State<Backend>,
    caller: Caller,
    project: Project,
    page: PageQuery,
    Parameters(Order { sort }): Parameters<Order>,
) -> Result<Json<Value>, Refusal> {
    let is_reversed = match sort.map(|text| text.to_ascii_uppercase()).as_deref() {
        None | Some("ASC") => false,
        Some("DESC") => true,
        Some(_) => return Err(Refusal::bad_request("`sort` is neither ASC nor DESC")),
    };
    let looked = backend.records.read(move |records| {
        let rights = Rights::of(&caller, &project, records)?;
        let sees_all = rights.permit(Acl::SecurityCategories, Action::List, Scope::all())?;
        if !sees_all && !rights.permit_some(Acl::SecurityCategories, &Action::List) {
            rights.need(Acl::SecurityCategories, Action::List, Scope::all())?;
        }
        let mut seen = Vec::new();
        for (key, category) in records.list(CATEGORIES, project.as_str())? {
            let of_it = Scope::id_lower_case([category.id]);
            if sees_all || rights.permit(Acl::SecurityCategories, Action::List, of_it)? {
                seen.push((key, json!(category)));
            }
        }
        if is_reversed {
            seen.reverse();
        }
        Ok::<_, Refusal>((project, seen))
    });
    let (project, seen) = looked.await?;
    page.page(&format!("security categories {is_reversed} {project}"), is_reversed, seen)
}

async fn create(
    State(backend): State<Backend>,
    caller: Caller,
    project: Project,
    Items { items }: Items<New>,
) -> Result<Json<Value>, Refusal> {
    items.iter().try_for_each(|new| check_name("security category", &new.name))?;
    let created = backend.records.write(move |changes| {
        let rights = Rights::of(&caller, &project, changes)?;
        rights.need(Acl::SecurityCategories, Action::Create, Scope::all())?;
        let there_are = changes.list(CATEGORIES, project.as_str())?;
        let mut taken: HashSet<&str> = there_are.iter().map(|(_, category)| category.name.as_str()).collect();
        let duplicated: BTreeSet<&str> =
            items.iter().map(|new| new.name.as_str()).filter(|name| !taken.insert(name)).collect();
        check_duplicated("security categories", &duplicated.into_iter().collect::<Vec<_>>())?;
        let mut created = Vec::new();
        for New { name, mut other } in items {
            let id = i64::try_from(changes.next_number("iam-security-categories")?).map_err(StorageError::new)?;
            other.remove("id");
            let category = Category { id, name, other };
            changes.put(CATEGORIES, project.as_str(), &record_name(id), &category)?;
            created.push(category);
        }
        Ok::<_, Refusal>(created)
    });
    Ok(Json(json!({"items": created.await?})))
}

async fn delete(
    State(backend): State<Backend>,
    caller: Caller,
    project: Project,
    Items { items: ids }: Items<i64>,
) -> Result<Json<Value>, Refusal> {
    let deleted = backend.records.write(move |changes| {
        let rights = Rights::of(&caller, &project, changes)?;
        rights.need(Acl::SecurityCategories, Action::Delete, Scope::id_lower_case(ids.iter().copied()))?;
        let mut missing = Vec::new();
        for id in &ids {
            if changes.get(CATEGORIES, project.as_str(), &record_name(*id))?.is_none() {
                missing.push(json!({"id": id}));
            }
        }
        check_missing("security categories", missing)?;
        for id in ids {
            changes.remove(CATEGORIES, project.as_str(), &record_name(id));
        }
        Ok::<_, Refusal>(())
    });
    deleted.await?;
    Ok(Json(json!({})))
}
