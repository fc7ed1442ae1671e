//! Builds the stations from the settings, in the order in which they rest on each other.

use std::sync::Arc;

use axum::middleware;
use octroi_host::{lease, queue::Bounds};
use ring::digest;

use super::{Feed, GatedRegister, Gateway, Stations, oai};
use crate::{
    authenticate::{AuthenticateLayer, Authenticator, Issuers, everyone},
    authorise::Gate,
    catalogue::{Base, InvalidBase, Site, search::SearchIndex},
    grpc, https, keys,
    listen::SmallBodyLayer,
    object::{Backend, Limits, Objects},
    registry::Registry,
    serve::{AssembleError, Foundation, House},
    settings::{self, AuthorityName, Settings},
    zone::{
        self, Borders, Histories, NoFolder, Packs, Zone,
        load::{self, Loads},
    },
};

/// The gateway's services, ready to be put behind its listeners.
///
/// # Errors
/// Whatever keeps a station from being built; it says which file or setting.
pub async fn assemble(foundation: Foundation) -> Result<House, AssembleError> {
    let Foundation { settings, clock } = foundation;
    let registry = Registry::open(&settings.registry_settings(), Arc::clone(&clock))?;
    let gate = Gate::load(&settings.policy.folder, registry.clone(), Arc::clone(&clock))?;
    let configuration = configuration(&settings, &gate.policies_sha256());
    registry.started(env!("CARGO_PKG_VERSION"), configuration).await?;
    let keys = keys::Client::new(&settings.keys.socket);
    let backend = Backend::open(&settings.objects.store)?;
    let register = GatedRegister::new(registry.clone(), gate.clone());
    let packs = packs(&settings.zone, backend.clone())?;
    let host = lease::Client::new(&settings.zone.socket);
    let doors =
        load::Borders { register: register.clone(), host: host.clone(), keys: keys.clone(), backend: backend.clone() };
    let loads = Loads::new(doors, settings.zone.loads.clone(), (&settings.zone).into(), Arc::clone(&clock))?;
    tokio::spawn({
        let loads = loads.clone();
        async move { loads.sweep().await }
    });
    let histories = Histories::new(&settings.zone.histories)?;
    let borders = Borders { register: register.clone(), host, keys: keys.clone(), packs, histories };
    let zone = Zone::new(borders, (&settings.zone).into(), configuration, Arc::clone(&clock));
    let objects =
        Objects::new(backend, keys.clone(), register, Arc::clone(&clock), Limits::try_from(&settings.objects)?);
    let issuers = Issuers::start(&settings.oidc, &clock)?;
    let authenticator = Arc::new(Authenticator::new(registry.clone(), issuers, clock));
    let small = SmallBodyLayer::new(&settings.limits);
    let site = Site {
        base: settings.gateway.base.as_str().parse()?,
        api: api_base(&settings)?,
        publisher: settings.gateway.organisation.clone(),
        contact: contact(&settings.gateway),
    };
    let search = SearchIndex::open(&settings.catalogue.search)?;
    let resumption_key = oai::resumption_key(&settings.catalogue.resumption_key)?;
    let feed = Feed::new(settings.catalogue.cache_bytes.get());
    let gateway = Gateway::new(Stations {
        settings,
        site,
        registry: registry.clone(),
        feed,
        resumption_key,
        search,
        gate,
        objects,
        keys,
        loads,
        zone,
    });
    tokio::spawn({
        let gateway = gateway.clone();
        async move { gateway.keep_found().await }
    });
    // Authentication is outermost: whatever answers, it has been passed.
    let guard = AuthenticateLayer::new(authenticator);
    let services = grpc::routes(&gateway, small.clone()).await?;
    Ok(House {
        public: https::public(&gateway, small.clone()).layer(middleware::from_fn(everyone)),
        api: https::api(&gateway, small, services).layer(guard),
        close: Box::pin(async move { registry.shutdown().await }),
    })
}

/// As many may wait to have their tables packed as are in the station: it is the stations' own bounds that count.
fn packs(settings: &settings::Zone, backend: Backend) -> Result<Packs, NoFolder> {
    let limits = zone::Limits::from(settings);
    let waiting = Bounds { total: limits.questions, per_organisation: limits.per_organisation };
    Packs::new(backend, &settings.packs, settings.packs_bytes.get(), waiting)
}

/// RFC 2142: every domain that takes mail has a postmaster.
fn contact(gateway: &settings::Gateway) -> String {
    gateway.contact.clone().unwrap_or_else(|| format!("postmaster@{}", gateway.base.host()))
}

/// Where the api listener is reached: under the first of its names.
fn api_base(settings: &Settings) -> Result<Base, InvalidBase> {
    let name = settings.listen.api.names.first().map(AuthorityName::text).unwrap_or_default();
    format!("https://{name}:{}", settings.listen.api.address.port()).parse()
}

/// SHA-256 over the settings' file and the policies in force, for the evidence of a start.
fn configuration(settings: &Settings, policies: &[u8; 32]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&settings.sha256);
    context.update(policies);
    let mut sum = [0; 32];
    sum.copy_from_slice(context.finish().as_ref());
    sum
}
