//! Pages' data, and the place on the page that waits for it. The reactive parts are untyped: for each type of data of
//! its own, Leptos' `Resource` and `Suspense` would put another copy of themselves into the browser's download.

use crate::base::error::Error;
use crate::web::transport::call::{self, ServerCall};
use leptos::prelude::*;
use leptos::reactive::computed::suspense::SuspenseContext;
use leptos::server::codee::string::FromToStringCodec;
use leptos::server_fn::ServerFn;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;

/// Before an error in a [`packed`] answer.
const REFUSED: char = '!';

/// Gives the page that is being rendered the status of an error that it shows instead of its data; the browser has none.
#[derive(Clone, Copy)]
pub struct PageStatus(pub fn(u16));

/// A future of unknown type.
pub type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Counts the forms that led on: what they changed is loaded anew. A form that stays on its page shows its own state.
#[derive(Clone, Copy, Debug)]
pub struct Changes(RwSignal<u32>);

impl Changes {
    /// Begins to count, for everything in the app.
    pub fn provide() {
        provide_context(Self(RwSignal::new(0)));
    }

    /// The app's count.
    pub fn current() -> Self {
        expect_context()
    }

    /// Counts one more.
    pub fn count(self) {
        self.0.update(|n| *n = n.wrapping_add(1));
    }
}

/// Data of a page: there at once in a page that the server rendered, fetched where the page was reached by a link.
/// Awaiting it gives the server function's own answer.
pub struct Loaded<T> {
    /// See [`packed`].
    answer: Resource<String, FromToStringCodec>,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for Loaded<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Loaded<T> {}

impl<T> Loaded<T> {
    /// Loads it again. What is shown stays until then.
    pub fn again(self) {
        self.answer.refetch();
    }
}

impl<T> IntoFuture for Loaded<T>
where
    T: DeserializeOwned + 'static,
{
    type Output = Result<T, Error>;
    type IntoFuture = Boxed<Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { unpacked(&self.answer.await) })
    }
}

/// Loads what a server function answers, again whenever its arguments change. Not to be called inside a view that waits
/// ([`awaited`](crate::web::components::awaited::awaited)): the server makes such a view twice, so that the browser takes
/// one load for another.
pub fn load<S>(arguments: impl Fn() -> S + Send + Sync + 'static) -> Loaded<S::Output>
where
    S: ServerFn<Error = Error> + Serialize + DeserializeOwned + 'static,
    S::Output: Serialize,
{
    let answer = resource(Box::new(move || text(&arguments())), Box::new(answer::<S>));
    Loaded { answer, of: PhantomData }
}

/// Like [`load`], and again after each form that led on: for what forms change.
pub fn load_live<S>(arguments: impl Fn() -> S + Send + Sync + 'static) -> Loaded<S::Output>
where
    S: ServerFn<Error = Error> + Serialize + DeserializeOwned + 'static,
    S::Output: Serialize,
{
    let loaded = load(arguments);
    follow_changes(loaded.answer);
    loaded
}

fn follow_changes(answer: Resource<String, FromToStringCodec>) {
    let Changes(changes) = Changes::current();
    Effect::new(move |before: Option<u32>| {
        let now = changes.get();
        if before.is_some_and(|before| before != now) {
            answer.refetch();
        }
        now
    });
}

fn resource(
    arguments: Box<dyn Fn() -> String + Send + Sync>,
    answer: Box<dyn Fn(String) -> Boxed<String> + Send + Sync>,
) -> Resource<String, FromToStringCodec> {
    debug_assert!(use_context::<SuspenseContext>().is_none(), "a load is inside a view that waits");
    Resource::new_str(arguments, answer)
}

/// Asks the server function: directly on the server, over HTTP in the browser.
fn answer<S>(arguments: String) -> Boxed<String>
where
    S: ServerFn<Error = Error> + DeserializeOwned + 'static,
    S::Output: Serialize,
{
    if cfg!(feature = "ssr") { Box::pin(run::<S>(arguments)) } else { fetched(S::PATH, arguments) }
}

async fn run<S>(arguments: String) -> String
where
    S: ServerFn<Error = Error> + DeserializeOwned,
    S::Output: Serialize,
{
    // Leptos polls a load once in the task that renders the page, which several loads share, and then gives it its own.
    // A load takes a database connection only there.
    leptos::task::tick().await;
    let answered = match serde_json::from_str::<S>(&arguments) {
        Ok(function) => function.run_body().await,
        Err(_) => Err(Error::BadRequest),
    };
    if let Err(error) = &answered
        && error.status() >= 500
        && let Some(PageStatus(set)) = use_context()
    {
        set(error.status());
    }
    packed(answered.map(|output| text(&output)))
}

fn fetched(path: &'static str, arguments: String) -> Boxed<String> {
    Box::pin(async move { packed(call::post(path, ServerCall::Load(&arguments)).await.map(|answer| answer.output)) })
}

/// An answer as one text: its output in JSON, or its error in JSON after a sign that no JSON begins with.
fn packed(answer: Result<String, Error>) -> String {
    answer.unwrap_or_else(|error| format!("{REFUSED}{}", text(&error)))
}

fn unpacked<T: DeserializeOwned>(answer: &str) -> Result<T, Error> {
    match answer.strip_prefix(REFUSED) {
        Some(error) => Err(serde_json::from_str(error).unwrap_or(Error::Internal)),
        None => serde_json::from_str(answer).map_err(|_| Error::Internal),
    }
}

fn text(value: &impl Serialize) -> String {
    // Fails only for maps whose keys are no strings; an answer that cannot be read is an internal error.
    serde_json::to_string(value).unwrap_or_default()
}
