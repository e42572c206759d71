//! Describes the form that filters the list of keys: with the numbers of keys for each choice.

use crate::api_keys::filter::{KeyFacets, KeyFilter, NONE};
use crate::api_keys::{Disuse, KeyListQuery, KeyState, Permission, ShownFacts};
use crate::base::error::Error;
use crate::web::components::described_form::{FieldDescription, FormDescription};
use crate::web::guard::SignedInMember;

/// Longest list of choices; others are left out.
const MAX_CHOICES: usize = 200;
/// Days for which keys were not used.
const IDLE_DAYS: [i32; 5] = [7, 30, 90, 180, 365];

/// Reads a query string of the list.
pub fn query_of(list: &str) -> KeyListQuery {
    let pairs: Vec<(String, String)> =
        form_urlencoded::parse(list.trim_start_matches('?').as_bytes()).into_owned().collect();
    KeyListQuery::from_address(|name| pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()))
}

/// Describes the form for the list with this query string.
pub async fn describe(member: &SignedInMember, list: &str) -> Result<FormDescription, Error> {
    let (services, workspace) = (member.services(), &member.workspace().id);
    let query = query_of(list);
    let facets = services.api_keys.facets(workspace).await?;
    let agents = services.agents.names(workspace).await?;
    let agents: Vec<_> = agents.into_iter().take(MAX_CHOICES).map(|agent| (agent.id.to_string(), agent.name)).collect();
    let [state, agent, permission, owner, tag, idle, network, created_by] = query.filter.values();
    let fields = vec![
        select("status", "Status", states(&facets), &state),
        select("permission", "Permission", permissions(&facets), &permission),
        select("agent", "Opens the agent", agents, &agent),
        select("owner", "Owner", counted(&facets.owners, "No owner"), &owner),
        select("tag", "Tag", counted(&facets.tags, "No tags"), &tag),
        select("idle", "Last used", idles(facets.unused), &idle),
        select("created_by", "Created by", counted(&facets.creators, ""), &created_by),
        FieldDescription::line("filter[network]", "Network", &network)
            .hint("A part of a network, such as 10.0. or 2001:db8. Enter none for keys without networks."),
        FieldDescription::choices("filter[show][]", "Also show", shown(), &query.shown.id()),
    ];
    Ok(FormDescription { fields, submit: "Show keys".to_owned(), ..Default::default() })
}

fn select(name: &str, label: &str, choices: Vec<(String, String)>, chosen: &str) -> FieldDescription {
    let mut options = vec![(String::new(), "All".to_owned())];
    options.extend(choices);
    // What the address says stays chosen, though no key has it any more.
    if !options.iter().any(|(value, _)| value == chosen) {
        options.push((chosen.to_owned(), chosen.to_owned()));
    }
    FieldDescription::choice(&format!("filter[{name}]"), label, options, chosen)
}

fn states(facets: &KeyFacets) -> Vec<(String, String)> {
    let counted = facets.states.map(|(state, count)| (state.id().to_owned(), format!("{} ({count})", state.label())));
    let deleted = (KeyState::Deleted.id().to_owned(), KeyState::Deleted.label().to_owned());
    counted.into_iter().chain([deleted]).collect()
}

fn permissions(facets: &KeyFacets) -> Vec<(String, String)> {
    let count = |permission: Permission| {
        facets.permissions.iter().find(|(id, _)| id == permission.id()).map_or(0, |(_, count)| *count)
    };
    Permission::ALL
        .map(|permission| (permission.id().to_owned(), format!("{} ({})", permission.label(), count(permission))))
        .to_vec()
}

fn counted(values: &[(String, i64)], nothing: &str) -> Vec<(String, String)> {
    let choice = |(value, count): &(String, i64)| match value.as_str() {
        "" => (NONE.to_owned(), format!("{nothing} ({count})")),
        value => (value.to_owned(), format!("{value} ({count})")),
    };
    values.iter().take(MAX_CHOICES).map(choice).collect()
}

fn idles(unused: i64) -> Vec<(String, String)> {
    let days = IDLE_DAYS.map(|days| (Disuse::Days(days).id(), format!("Not for {days} days")));
    [(Disuse::Never.id(), format!("Never ({unused})"))].into_iter().chain(days).collect()
}

fn shown() -> Vec<(String, String)> {
    ShownFacts::ALL.map(|(name, label)| (name.to_owned(), label.to_owned())).to_vec()
}

/// What a filter lets through, in words, each with the filter without it.
pub fn in_words(filter: &KeyFilter, agent: Option<&str>) -> Vec<(String, KeyFilter)> {
    let mut parts = Vec::new();
    let mut part = |text: String, less: &dyn Fn(&mut KeyFilter)| {
        let mut without = filter.clone();
        less(&mut without);
        parts.push((text, without));
    };
    if let Some(state) = filter.state {
        part(state.label().to_owned(), &|filter| filter.state = None);
    }
    if let Some(id) = &filter.agent {
        part(format!("Opens {}", agent.unwrap_or(id.as_str())), &|filter| filter.agent = None);
    }
    if let Some(permission) = filter.permission {
        part(permission.label().to_owned(), &|filter| filter.permission = None);
    }
    if !filter.owner.is_empty() {
        part(named("Owner", &filter.owner), &|filter| filter.owner.clear());
    }
    if !filter.tag.is_empty() {
        part(named("Tag", &filter.tag), &|filter| filter.tag.clear());
    }
    match filter.disuse {
        Some(Disuse::Never) => part("Never used".to_owned(), &|filter| filter.disuse = None),
        Some(Disuse::Days(days)) => part(format!("Not used for {days} days"), &|filter| filter.disuse = None),
        None => {}
    }
    if !filter.network.is_empty() {
        part(named("Network", &filter.network), &|filter| filter.network.clear());
    }
    if !filter.created_by.is_empty() {
        part(format!("Created by {}", filter.created_by), &|filter| filter.created_by.clear());
    }
    parts
}

fn named(what: &str, value: &str) -> String {
    if value == NONE { format!("No {}", what.to_lowercase()) } else { format!("{what}: {value}") }
}
