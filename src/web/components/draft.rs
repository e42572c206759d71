//! What was typed into a form that was not accepted. The form's page shows it again.

use leptos::prelude::*;
use leptos::server::SharedValue;
use leptos::server::codee::string::FromToStringCodec;
use leptos_router::hooks::use_location;

/// Fields that are never kept.
const SECRET_FIELDS: [&str; 4] = ["password", "current_password", "new_password", "token"];

/// Input of a form that was not accepted: the path of its page, `?`, and the fields as in a query string. Empty if there
/// is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft(String);

impl Draft {
    /// The input of a form on the page with this path. `fields` is the form's body, URL-encoded; secrets are left out.
    pub fn new(page: &str, fields: &str) -> Self {
        let kept = form_urlencoded::parse(fields.as_bytes()).filter(|(name, _)| !SECRET_FIELDS.contains(&&**name));
        let fields = form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).finish();
        Self(format!("{page}?{fields}"))
    }

    /// Reads [`as_str`](Self::as_str).
    pub fn from_text(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The draft of the page that is being rendered.
    pub fn current() -> Self {
        Drafts::current().of_page(&page()).map(|(_, draft)| draft).unwrap_or_default()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether its form is on the page with this path.
    pub fn is_of(&self, page: &str) -> bool {
        self.0.split_once('?').is_some_and(|(path, _)| path == page)
    }

    /// Its fields, URL-encoded.
    pub fn encoded_fields(&self) -> &str {
        self.0.split_once('?').map_or("", |(_, fields)| fields)
    }

    fn fields(&self) -> form_urlencoded::Parse<'_> {
        form_urlencoded::parse(self.encoded_fields().as_bytes())
    }

    /// The value of a field; `otherwise` where the form is fresh.
    pub fn value(&self, name: &str, otherwise: &str) -> String {
        let typed = self.fields().find(|(n, _)| n == name);
        typed.map_or_else(|| otherwise.to_owned(), |(_, value)| value.into_owned())
    }

    /// Every value of a field that takes several; `None` where the form is fresh.
    pub fn values(&self, name: &str) -> Option<Vec<String>> {
        let chosen = self.fields().filter(|(n, _)| n == name).map(|(_, value)| value.into_owned());
        (!self.is_empty()).then(|| chosen.collect())
    }
}

/// Path of the page that is being rendered.
pub fn page() -> String {
    use_location().pathname.get_untracked()
}

/// The newest draft, and how many there were before it. The server has one for each request. The browser begins with that
/// of the server, and keeps the input of each form that was sent after the session had ended.
#[derive(Clone, Copy, Debug)]
pub struct Drafts(StoredValue<(u32, Draft)>);

impl Drafts {
    pub fn provide() {
        let from_server = || use_context::<Draft>().unwrap_or_default().0;
        let draft: String = SharedValue::<String, FromToStringCodec>::new_str(from_server).into_inner();
        provide_context(Self(StoredValue::new((0, Draft(draft)))));
    }

    pub fn current() -> Self {
        expect_context()
    }

    /// Replaces the draft.
    pub fn keep(self, draft: Draft) {
        self.0.update_value(|(number, kept)| (*number, *kept) = (number.wrapping_add(1), draft));
    }

    /// The draft if its form is on this page, with its number.
    fn of_page(self, page: &str) -> Option<(u32, Draft)> {
        self.0.with_value(|(number, draft)| draft.is_of(page).then(|| (*number, draft.clone())))
    }

    /// Drops the draft of this page when the current owner is disposed: its form was accepted or left.
    pub fn drop_with_form(self, page: &str) {
        let Some((shown, _)) = self.of_page(page) else { return };
        on_cleanup(move || {
            // Fails only where the whole app is gone.
            let _ = self.0.try_update_value(|(number, draft)| {
                if *number == shown {
                    *draft = Draft::default();
                }
            });
        });
    }
}
