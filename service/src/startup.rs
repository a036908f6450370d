//! Puts the application together from its settings. `main` and the tests build the same.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use actix_web::{
    App, Error, HttpResponse, HttpServer,
    body::MessageBody,
    dev::{Server, ServerHandle, ServiceFactory, ServiceRequest, ServiceResponse},
    guard,
    http::{KeepAlive, header::CONTENT_TYPE},
    middleware::{Compress, from_fn},
    web,
};
use anyhow::Context;
use faciliauto_engine::tables::Tables;
use prometheus_client::registry::Registry;
use tokio::{task::JoinHandle, time::timeout};

use crate::{
    access::AdminTokens,
    access_log::AccessLog,
    catalogue::Showroom,
    clock::Clock,
    configuration::{Limits, Settings},
    cors::AllowedOrigins,
    desk::Desk,
    edge,
    error::ApiError,
    follow::Follower,
    gate::Gate,
    housekeeping,
    journal::{Journal, Terms},
    limits::{Decider, Quotas, local::LocalDecider, redis::RedisDecider},
    metrics::{self, Metrics, store_server::StoreServer},
    response_cache::ResponseCache,
    routes,
    state::{
        Basis, Change, State,
        connection::{ConnectionSettings, Secrets},
        memory::MemoryState,
        redis::{Patience, RedisState},
    },
    stock::{self, StockFile},
    store::Store,
    tls::Certificates,
};

/// Load balancers keep idle connections for 60 s: one that we close first is an error to their client.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How long the head of a request may take to arrive.
const LONGEST_HEAD: Duration = Duration::from_secs(10);

/// How long the handshake of TLS may take, before there is any head.
const LONGEST_HANDSHAKE: Duration = Duration::from_secs(5);

/// Handshakes that each thread waits for at the same time, some 20 KiB apiece. While so many are begun and not
/// finished nobody else is let in, so it takes hundreds of connections a second to keep buyers out.
const MOST_HANDSHAKES: usize = 2048;

/// Beyond the drain: what is still open then is dropped, and the process ends.
const BEYOND_DRAIN: Duration = Duration::from_secs(2);

/// How long interactions that wait for the store may take at the very end, however long the drain took: a store that is
/// there needs milliseconds.
const LAST_FLUSH: Duration = Duration::from_secs(2);

/// How long a request may take as a whole. Answers take milliseconds: this is for bodies on slow lines.
const LONGEST_REQUEST: Duration = Duration::from_secs(15);

/// What every request can reach.
pub(crate) struct Shared {
    pub(crate) showroom: Arc<Showroom>,
    pub(crate) tables: Arc<Tables>,
    pub(crate) metrics: Metrics,
    pub(crate) gate: Gate,
    pub(crate) responses: Arc<ResponseCache>,
    /// Where dealers hand their stock in.
    pub(crate) desk: Desk,
    /// Where buyers' feedback and interactions pass.
    pub(crate) journal: Arc<Journal>,
    /// Set once the process is told to stop; `/readyz` says so.
    pub(crate) stopping: Arc<AtomicBool>,
    /// Whether other replicas read the same store.
    pub(crate) store_is_shared: bool,
    pub(crate) longest_request: Duration,
    pub(crate) access_log: AccessLog,
    /// Decides how often an address may ask; `None` = as often as it likes.
    pub(crate) limits: Option<Arc<dyn Decider>>,
    pub(crate) quotas: Quotas,
    /// Proxies of our own in front of this process.
    pub(crate) trusted_hops: usize,
    pub(crate) cors_origins: AllowedOrigins,
}

#[cfg(test)]
impl Shared {
    /// For tests of what does not depend on stock.
    pub(crate) fn without_catalogue(workers: usize) -> Self {
        let showroom = Arc::<Showroom>::default();
        let tables = Arc::new(Tables::bundled().unwrap());
        let clock = Clock::system();
        let store = Arc::new(Store::new(Arc::new(MemoryState::new(clock.clone()))));
        let metrics = Metrics::register(&mut Registry::default());
        let terms = Terms {
            open_history: false,
            backup_retention_days: 7,
        };
        let journal = Journal::new(Arc::clone(&store), metrics.clone(), clock.clone(), terms);
        Self {
            showroom: Arc::clone(&showroom),
            tables,
            metrics,
            journal: Arc::new(journal),
            gate: Gate::new(workers),
            responses: Arc::default(),
            desk: Desk::new(store, Arc::default(), clock, showroom),
            stopping: Arc::default(),
            store_is_shared: false,
            longest_request: LONGEST_REQUEST,
            access_log: AccessLog::default(),
            limits: None,
            quotas: Quotas::default(),
            trusted_hops: 0,
            cors_origins: AllowedOrigins::default(),
        }
    }
}

/// A process that listens and is about to serve.
pub struct Application {
    api: TcpListener,
    metrics_page: TcpListener,
    /// What the API is served over TLS with.
    certificates: Option<Arc<Certificates>>,
    settings: Settings,
    shared: web::Data<Shared>,
    registry: Arc<Registry>,
    /// Stops following when the application ends.
    background: Background,
}

/// Tasks that end with their owner.
struct Background(Vec<JoinHandle<()>>);

impl Drop for Background {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

/// Describes a connection to the shared store and begins to listen for its announcements, until the task
/// that comes with it is dropped.
fn enter(
    connection: &ConnectionSettings,
    secrets: &Secrets,
    metrics: &Metrics,
) -> anyhow::Result<(Arc<dyn State>, Background)> {
    let info = connection.describe(secrets)?;
    let metrics = metrics.clone();
    let state = RedisState::new(info, &connection.key_prefix, Patience::SERVING)?
        .observed(move |took| metrics.store_command(took));
    let listening = Background(vec![tokio::spawn(state.listen())]);
    Ok((Arc::new(state), listening))
}

/// Follows the store, by a new connection whenever the files with its secrets change.
async fn follow_with_current_secrets(
    mut follower: Follower,
    store: Arc<Store>,
    connection: ConnectionSettings,
    mut secrets: Secrets,
    mut listening: Background,
    metrics: Metrics,
) {
    loop {
        tokio::select! {
            () = follower.run() => {}
            () = connection.secrets_changed(&secrets) => {}
        }
        let entered = connection.secrets().map_err(anyhow::Error::from).and_then(|now| {
            let entered = enter(&connection, &now, &metrics)?;
            Ok((now, entered))
        });
        match entered {
            Ok((now, (state, listens))) => {
                tracing::info!("the store's secrets have changed: connecting anew");
                store.switch(Arc::clone(&state));
                follower.switch(state);
                drop(std::mem::replace(&mut listening, listens));
                secrets = now;
            }
            Err(error) => tracing::warn!(%error, "the store's new secrets cannot be used"),
        }
    }
}

impl Application {
    /// Binds both listeners (port 0 = any free one) and begins to follow the store. An absent store is no
    /// error: the process lives, and becomes ready when the store is there.
    ///
    /// # Errors
    /// An address in use, a secret that cannot be read, or bundled data that is wrong.
    pub async fn build(settings: Settings, clock: Clock) -> anyhow::Result<Self> {
        let api = listen(settings.listen)?;
        let metrics_page = listen(settings.metrics_listen)?;
        let tables = Arc::new(Tables::bundled().context("failed to read the bundled tables")?);
        let showroom = Arc::new(Showroom::default());
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let shared_store = settings.redis.is_some();
        Metrics::register_showroom(&mut registry, Arc::clone(&showroom), clock.clone(), shared_store);

        let mut background = Background(Vec::new());
        let mut entered = None;
        let state: Arc<dyn State> = match &settings.redis {
            Some(connection) => {
                let secrets = connection.secrets()?;
                let (state, listening) = enter(connection, &secrets, &metrics)?;
                entered = Some((connection.clone(), secrets, listening));
                state
            }
            None => Arc::new(sample_in_memory(&clock).await?),
        };
        let store = Arc::new(Store::new(Arc::clone(&state)));
        background
            .0
            .push(tokio::spawn(housekeeping::keep(Arc::clone(&store))));
        if shared_store {
            let server = StoreServer::default();
            metrics.register_store_server(&mut registry, server.clone());
            background.0.push(tokio::spawn(server.watch(Arc::clone(&store))));
        }
        let admins = match &settings.admin_token_file {
            None => Arc::default(),
            Some(path) => {
                let admins = AdminTokens::read(path)
                    .with_context(|| format!("failed to read the admin tokens from {}", path.display()))?;
                let admins = Arc::new(admins);
                let current = Arc::clone(&admins).keep_current(path.clone());
                background.0.push(tokio::spawn(current));
                admins
            }
        };
        let certificates = match &settings.tls {
            None => None,
            Some(files) => {
                let certificates = Certificates::read(files.clone()).context("failed to prepare TLS")?;
                let certificates = Arc::new(certificates);
                let current = Arc::clone(&certificates).keep_current();
                background.0.push(tokio::spawn(current));
                Some(certificates)
            }
        };
        let desk = Desk::new(Arc::clone(&store), admins, clock.clone(), Arc::clone(&showroom));
        let journal = Arc::new(Journal::new(
            Arc::clone(&store),
            metrics.clone(),
            clock.clone(),
            Terms {
                open_history: settings.open_history,
                backup_retention_days: settings.backup_retention_days,
            },
        ));
        let flushing = Arc::clone(&journal).keep_flushing();
        background.0.push(tokio::spawn(flushing));
        let mut follower = Follower::new(
            state,
            Arc::clone(&showroom),
            Arc::clone(&tables),
            clock,
            metrics.clone(),
        );
        if !shared_store {
            // The sample is at hand: the first request finds it.
            follower.check().await;
        }
        let for_connections = metrics.clone();
        background.0.push(tokio::spawn(async move {
            match entered {
                Some((connection, secrets, listening)) => {
                    follow_with_current_secrets(
                        follower,
                        store,
                        connection,
                        secrets,
                        listening,
                        for_connections,
                    )
                    .await;
                }
                None => follower.run().await,
            }
        }));

        let limits = decider(&settings, &metrics)
            .await
            .context("failed to start the rate limits")?;
        let shared = web::Data::new(Shared {
            showroom,
            tables,
            metrics,
            gate: Gate::new(settings.workers),
            responses: Arc::new(ResponseCache::new(settings.cache)),
            desk,
            journal,
            stopping: Arc::new(AtomicBool::new(false)),
            store_is_shared: shared_store,
            longest_request: LONGEST_REQUEST,
            access_log: AccessLog::one_in(settings.access_log_sample),
            limits,
            quotas: settings.quotas,
            trusted_hops: settings.trusted_hops,
            cors_origins: settings.cors_origins.clone(),
        });
        Ok(Self {
            api,
            metrics_page,
            certificates,
            settings,
            shared,
            registry: Arc::new(registry),
            background,
        })
    }

    /// Where the API listens.
    ///
    /// # Errors
    /// The system's, when the listener is gone.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.api.local_addr()
    }

    /// Whether the API is served over TLS.
    #[must_use]
    pub fn serves_tls(&self) -> bool {
        self.certificates.is_some()
    }

    /// Where `/metrics` listens.
    ///
    /// # Errors
    /// The system's, when the listener is gone.
    pub fn metrics_address(&self) -> io::Result<SocketAddr> {
        self.metrics_page.local_addr()
    }

    /// Serves until `stop` resolves, then: readiness fails, the readiness delay passes while all is still
    /// served, new connections are refused, requests in flight finish within the drain, and it returns.
    ///
    /// # Errors
    /// The system's, when serving cannot begin.
    pub async fn run(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let Self {
            api,
            metrics_page,
            certificates,
            settings,
            shared,
            registry,
            background,
        } = self;
        let stopping = Arc::clone(&shared.stopping);
        let journal = Arc::clone(&shared.journal);
        let api = serve_api(api, certificates, &settings, shared).context("failed to serve the API")?;
        let metrics_page = serve_metrics(metrics_page, registry).context("failed to serve the metrics")?;
        let (api_handle, metrics_handle) = (api.handle(), metrics_page.handle());
        let api = tokio::spawn(api);
        let metrics_page = tokio::spawn(metrics_page);

        stop.await;
        stopping.store(true, Ordering::Relaxed);
        tracing::info!(
            delay_seconds = settings.readiness_delay.as_secs(),
            drain_seconds = settings.drain.as_secs(),
            "stopping: not ready any more"
        );
        tokio::time::sleep(settings.readiness_delay).await;
        let draining = Instant::now();
        drain(api, &api_handle, settings.drain).await;
        let left = settings.drain.saturating_sub(draining.elapsed());
        journal.close(left.max(LAST_FLUSH)).await;
        drop(background);
        // Last, so that the last requests can still be scraped.
        metrics_handle.stop(false).await;
        metrics_page.abort();
        Ok(())
    }
}

/// Who decides how often an address may ask, as set.
async fn decider(settings: &Settings, metrics: &Metrics) -> io::Result<Option<Arc<dyn Decider>>> {
    Ok(match (settings.limits, &settings.redis) {
        (Limits::Off, _) => None,
        (Limits::Redis, Some(connection)) => Some(Arc::new(
            RedisDecider::start(connection.clone(), settings.quotas, metrics.clone()).await?,
        )),
        (Limits::Local | Limits::Redis, _) => {
            Some(Arc::new(LocalDecider::new(settings.quotas, metrics.clone())))
        }
    })
}

fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).with_context(|| format!("failed to listen on {address}"))?;
    Ok(listener)
}

async fn drain(server: JoinHandle<io::Result<()>>, handle: &ServerHandle, bound: Duration) {
    let stopped = async {
        handle.stop(true).await;
        let _ = server.await;
    };
    if timeout(bound + BEYOND_DRAIN, stopped).await.is_err() {
        tracing::warn!("requests in flight were dropped: the drain took too long");
    }
}

/// A store of this process alone, opened with the sample stock.
async fn sample_in_memory(clock: &Clock) -> anyhow::Result<MemoryState> {
    let stock = StockFile::whole(stock::SAMPLE, clock.today()).context("failed to read the sample stock")?;
    let state = MemoryState::new(clock.clone());
    let change = Change {
        basis: Basis::Unopened,
        put: stock::by_dealership(stock),
        remove: Vec::new(),
        marks: Vec::new(),
        updates: Vec::new(),
        once: None,
    };
    state.commit(change, &|_| {}).await?.confirmed().await?;
    Ok(state)
}

/// The application around its routes. `more` adds routes, for tests of the layers around them.
pub(crate) fn app(
    shared: web::Data<Shared>,
    more: impl FnOnce(&mut web::ServiceConfig),
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = Error,
        InitError = (),
    >,
> {
    let around = shared.clone();
    // The last layer is the outermost.
    App::new()
        .app_data(shared)
        .wrap(Compress::default())
        .wrap(from_fn(move |request, next| {
            edge::envelope(around.clone(), request, next)
        }))
        .configure(more)
        .configure(routes::configure)
}

fn serve_api(
    listener: TcpListener,
    certificates: Option<Arc<Certificates>>,
    settings: &Settings,
    shared: web::Data<Shared>,
) -> anyhow::Result<Server> {
    let server = HttpServer::new(move || app(shared.clone(), |_| {}))
        .workers(settings.workers)
        .keep_alive(KeepAlive::Timeout(KEEP_ALIVE))
        .client_request_timeout(LONGEST_HEAD)
        .tls_handshake_timeout(LONGEST_HANDSHAKE)
        .max_connection_rate(MOST_HANDSHAKES)
        .client_disconnect_timeout(Duration::from_secs(2))
        .tcp_nodelay(true)
        .disable_signals()
        .shutdown_timeout(settings.drain.as_secs());
    if let Some(certificates) = certificates {
        let settings = certificates.server_settings()?;
        return Ok(server.listen_rustls_0_23(listener, settings)?.run());
    }
    // HTTP/1.1 only: to tell HTTP/2 without TLS apart, actix waits for the first bytes of a connection without any
    // bound, so that a client that sends nothing would keep its place for ever.
    Ok(server.listen(listener)?.run())
}

fn serve_metrics(listener: TcpListener, registry: Arc<Registry>) -> io::Result<Server> {
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::Data::from(Arc::clone(&registry)))
            .service(
                web::resource("/metrics")
                    .route(
                        web::route()
                            .guard(guard::Any(guard::Get()).or(guard::Head()))
                            .to(scrape),
                    )
                    .default_service(web::to(|| async {
                        edge::method_not_allowed("GET, HEAD".to_owned())
                    })),
            )
            .default_service(web::to(edge::route_not_found))
    });
    Ok(server.workers(1).disable_signals().listen(listener)?.run())
}

async fn scrape(registry: web::Data<Registry>) -> Result<HttpResponse, ApiError> {
    let text = metrics::render(&registry).map_err(|_| ApiError::Internal)?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, metrics::CONTENT_TYPE))
        .body(text))
}
