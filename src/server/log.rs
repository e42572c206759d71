//! The log on standard error, and traces for an OpenTelemetry collector.

use crate::http::traces;
use crate::server::settings::{LogFormat, Settings};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::io::IsTerminal as _;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt};

/// What the log is without `RUST_LOG`.
const DEFAULT_FILTER: &str = "warn,agent_studio=info";

/// Writes the rest of the log and of the traces when it is dropped.
#[derive(Debug)]
pub struct LogGuard {
    _log: WorkerGuard,
    traces: Option<SdkTracerProvider>,
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.traces.as_ref().map(SdkTracerProvider::shutdown) {
            tracing::warn!(%error, "the last traces could not be sent");
        }
    }
}

/// Starts logging to standard error, and traces if they are set. A log that cannot be written (disk full, blocked pipe)
/// blocks nothing: lines that do not fit into the queue are dropped, and so are spans.
pub fn start(settings: &Settings) -> Result<LogGuard, String> {
    let (writer, log) = tracing_appender::non_blocking(std::io::stderr());
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let lines = fmt::layer::<Registry>().with_writer(writer).log_internal_errors(false);
    let lines = lines.with_ansi(std::io::stderr().is_terminal());
    let lines = match settings.log_format.unwrap_or_default() {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    let traces = settings.otlp_endpoint.as_deref().map(provider).transpose()?;
    // Without traces the filter stands before everything else: what it leaves out costs nothing.
    match &traces {
        None => tracing_subscriber::registry().with(lines).with(filter).init(),
        Some(traces) => {
            let spans = tracing_opentelemetry::layer().with_tracer(traces.tracer("agent-studio"));
            // Not where in the code a span is, and on which thread.
            let spans =
                spans.with_location(false).with_threads(false).with_tracked_inactivity(false).with_target(false);
            let spans = spans.with_filter(Targets::new().with_target(traces::TARGET, tracing::Level::DEBUG));
            tracing_subscriber::registry().with(lines.with_filter(filter)).with(spans).init();
            traces::switch_on();
        }
    }
    Ok(LogGuard { _log: log, traces })
}

/// Sends spans to a collector, in batches, by OTLP over HTTP.
fn provider(endpoint: &str) -> Result<SdkTracerProvider, String> {
    // The only provider in this program; it may be installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let url = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
    let exporter = SpanExporter::builder().with_http().with_endpoint(url).build();
    let exporter = exporter.map_err(|e| format!("the collector of traces (--otlp-endpoint): {e}"))?;
    let resource = Resource::builder().with_service_name("agent-studio").build();
    Ok(SdkTracerProvider::builder().with_resource(resource).with_batch_exporter(exporter).build())
}
