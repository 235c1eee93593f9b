//! Numbers for Prometheus, on a listener of their own: how many requests, how long, how much mail waits.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::Context as _;

use crate::http::{Site, head};
use crate::storage::outbox;

/// Upper bounds of the histogram, in milliseconds.
const BOUNDS: [u64; 9] = [1, 5, 10, 25, 50, 100, 250, 1000, 5000];

/// Counters of this instance since its start.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Answers by the first digit of their status, 1 to 5.
    statuses: [AtomicU64; 5],
    /// Answers by how long they took; the last entry is everything above the bounds.
    durations: [AtomicU64; BOUNDS.len() + 1],
    microseconds: AtomicU64,
    running: AtomicU64,
}

impl Metrics {
    fn took(&self, status: u16, time: Duration) {
        let class = usize::from(status / 100).saturating_sub(1);
        if let Some(counter) = self.statuses.get(class) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.iter().position(|bound| millis < *bound).unwrap_or(BOUNDS.len());
        if let Some(counter) = self.durations.get(bucket) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        self.microseconds.fetch_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// The text that Prometheus reads (exposition format 0.0.4).
    #[must_use]
    pub fn text(&self, oldest_mail: Duration) -> String {
        use std::fmt::Write as _;
        let mut text = String::from("# TYPE vestibule_requests_total counter\n");
        for (class, counter) in (1..).zip(&self.statuses) {
            let _ =
                writeln!(text, "vestibule_requests_total{{status=\"{class}xx\"}} {}", counter.load(Ordering::Relaxed));
        }
        text.push_str("# TYPE vestibule_request_seconds histogram\n");
        let mut sum = 0;
        let bounds = BOUNDS.iter().map(|bound| format!("{}.{:03}", bound / 1000, bound % 1000));
        for (bound, counter) in bounds.chain(["+Inf".to_owned()]).zip(&self.durations) {
            sum += counter.load(Ordering::Relaxed);
            let _ = writeln!(text, "vestibule_request_seconds_bucket{{le=\"{bound}\"}} {sum}");
        }
        let micros = self.microseconds.load(Ordering::Relaxed);
        let _ = writeln!(text, "vestibule_request_seconds_sum {}.{:06}", micros / 1_000_000, micros % 1_000_000);
        let _ = writeln!(text, "vestibule_request_seconds_count {sum}");
        text.push_str("# TYPE vestibule_requests_running gauge\n");
        let _ = writeln!(text, "vestibule_requests_running {}", self.running.load(Ordering::Relaxed));
        text.push_str("# TYPE vestibule_oldest_mail_seconds gauge\n");
        let _ = writeln!(text, "vestibule_oldest_mail_seconds {}", oldest_mail.as_secs());
        let _ = writeln!(
            text,
            "# TYPE vestibule_info gauge\nvestibule_info{{version=\"{}\"}} 1",
            env!("CARGO_PKG_VERSION")
        );
        text
    }
}

/// Counts a request that is answered or abandoned.
struct Running(web::Data<Metrics>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Wraps the whole service.
///
/// # Errors
/// What the framework reports.
pub async fn count(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let Some(metrics) = request.app_data::<web::Data<Metrics>>().cloned() else { return next.call(request).await };
    let begun = Instant::now();
    metrics.running.fetch_add(1, Ordering::Relaxed);
    let running = Running(metrics.clone());
    let answer = next.call(request).await;
    let status = match &answer {
        Ok(response) => response.status(),
        Err(error) => error.as_response_error().status_code(),
    };
    metrics.took(status.as_u16(), begun.elapsed());
    drop(running);
    answer
}

/// Serves `/metrics` at `address` until the task ends.
///
/// # Errors
/// If the address cannot be used.
pub fn serve(
    address: SocketAddr,
    site: web::Data<Site>,
    metrics: web::Data<Metrics>,
) -> anyhow::Result<impl Future<Output = ()>> {
    let factory = move || {
        let page = async |site: web::Data<Site>, metrics: web::Data<Metrics>| {
            let oldest = site.house.db.look(async |connection| outbox::oldest_waiting(connection).await).await;
            let age = oldest.ok().flatten().map_or(Duration::ZERO, |at| site.house.clock.now().since(at));
            HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(metrics.text(age))
        };
        App::new().app_data(site.clone()).app_data(metrics.clone()).route("/metrics", head::readable().to(page))
    };
    let server = HttpServer::new(factory).workers(1).disable_signals().bind(address);
    let server = server.with_context(|| format!("telemetry.metrics_listen: cannot listen on {address}"))?.run();
    Ok(async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "metrics are not served any more");
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_histogram_adds_up() {
        let metrics = Metrics::default();
        for (status, millis) in [(200, 0), (200, 7), (303, 300), (500, 60_000)] {
            metrics.took(status, Duration::from_millis(millis));
        }
        let text = metrics.text(Duration::from_secs(3));
        for line in [
            "vestibule_requests_total{status=\"2xx\"} 2",
            "vestibule_requests_total{status=\"5xx\"} 1",
            "vestibule_request_seconds_bucket{le=\"0.001\"} 1",
            "vestibule_request_seconds_bucket{le=\"0.010\"} 2",
            "vestibule_request_seconds_bucket{le=\"1.000\"} 3",
            "vestibule_request_seconds_bucket{le=\"+Inf\"} 4",
            "vestibule_request_seconds_sum 60.307000",
            "vestibule_oldest_mail_seconds 3",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
