//! `PrincipalService`.

use octroi_proto::{
    CertificateDigest, Credential, OidcSubject, Principal, PrincipalName, Role,
    wire::v1::{
        self, add_principal_request,
        principal_service_server::{PrincipalService, PrincipalServiceServer},
    },
};
use tonic::{Request, Response, Status};

use super::{caller, field};
use crate::{
    answer::{OrInternal as _, Refusal},
    authenticate::{Caller, Member},
    authorise,
    gateway::{
        Gateway,
        page::{after, page, page_size},
    },
    keys::{authority::Issued, client::CallError},
    registry::change,
};

/// The service.
pub(super) fn service(gateway: Gateway) -> PrincipalServiceServer<Principals> {
    PrincipalServiceServer::new(Principals(gateway))
}

pub(super) struct Principals(Gateway);

#[tonic::async_trait]
impl PrincipalService for Principals {
    async fn add(
        &self,
        request: Request<v1::AddPrincipalRequest>,
    ) -> Result<Response<v1::AddPrincipalResponse>, Status> {
        let caller = caller(&request)?;
        let permit = self.0.permit::<authorise::AddPrincipal>(&caller, &())?;
        let request = request.into_inner();
        let name: PrincipalName = field("name", request.name.parse())?;
        let organisation = field("organisation", request.organisation.parse())?;
        let role = field("role", Role::from_wire(request.role))?.ok_or(Refusal::field("role", "is missing"))?;
        let (credential, certificate_chain) = match request.credential {
            None => {
                return Err(
                    Refusal::field("credential", "is missing: give a certificate request or an OIDC subject").into()
                );
            }
            Some(add_principal_request::Credential::Oidc(subject)) => (self.oidc(subject)?, String::new()),
            Some(add_principal_request::Credential::CertificateRequest(der)) => {
                // A certificate for a name that is taken would be issued in vain.
                if self.0.registry.principal(&name).or_internal()?.is_some() {
                    return Err(Refusal::Exists("the principal is taken: choose another name".to_owned()).into());
                }
                issue(self.0.keys.issue_certificate(&name, &organisation, der).await)?
            }
        };
        let principal = self.0.commit(permit, change::AddPrincipal { name, organisation, role, credential }).await?;
        Ok(Response::new(v1::AddPrincipalResponse { principal: Some((&principal).into()), certificate_chain }))
    }

    async fn approve(&self, request: Request<v1::ApprovePrincipalRequest>) -> Result<Response<v1::Principal>, Status> {
        let caller = caller(&request)?;
        let name = field("name", request.into_inner().name.parse())?;
        let permit = self.0.permit::<authorise::ApprovePrincipal>(&caller, &name)?;
        answer(&self.0.commit(permit, change::ApprovePrincipal).await?)
    }

    async fn revoke(&self, request: Request<v1::RevokePrincipalRequest>) -> Result<Response<v1::Principal>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let name = field("name", request.name.parse())?;
        let permit = self.0.permit::<authorise::RevokePrincipal>(&caller, &name)?;
        let reason = field("reason", request.reason.parse())?;
        answer(&self.0.commit(permit.because(reason), change::RevokePrincipal).await?)
    }

    async fn revoke_organisation(
        &self,
        request: Request<v1::RevokeOrganisationRequest>,
    ) -> Result<Response<v1::RevokeOrganisationResponse>, Status> {
        let caller = caller(&request)?;
        let permit = self.0.permit::<authorise::RevokeOrganisation>(&caller, &())?;
        let request = request.into_inner();
        let id = field("id", request.id.parse())?;
        let reason = field("reason", request.reason.parse())?;
        let offboarded = self.0.commit(permit.because(reason), change::RevokeOrganisation { id }).await?;
        Ok(Response::new(v1::RevokeOrganisationResponse {
            organisation: Some((&offboarded.organisation).into()),
            principals_revoked: count(offboarded.principals_revoked),
            grants_revoked: count(offboarded.grants_revoked),
        }))
    }

    async fn list(
        &self,
        request: Request<v1::ListPrincipalsRequest>,
    ) -> Result<Response<v1::ListPrincipalsResponse>, Status> {
        let caller = caller(&request)?;
        self.0.permit::<authorise::ListPrincipals>(&caller, &())?;
        let request = request.into_inner();
        let limit = page_size(request.page_size)?;
        let scan = |after: Option<&PrincipalName>, most| self.0.registry.principals(after, most);
        let (page, next) =
            page(after("page_token", &request.page_token)?, limit, scan, |it| it.name.clone(), |_| true)?;
        Ok(Response::new(v1::ListPrincipalsResponse {
            principals: page.iter().map(Into::into).collect(),
            next_page_token: next.map(String::from).unwrap_or_default(),
        }))
    }

    async fn who_am_i(&self, request: Request<v1::WhoAmIRequest>) -> Result<Response<v1::WhoAmIResponse>, Status> {
        let caller = caller(&request)?;
        self.0.permit::<authorise::Probe>(&caller, &())?;
        Ok(Response::new(who(&caller)))
    }
}

impl Principals {
    /// A subject can only be bound to an issuer whose tokens the gateway would accept.
    fn oidc(&self, subject: v1::OidcSubject) -> Result<Credential, Refusal> {
        let subject = OidcSubject::try_from(subject)?;
        if self.0.settings.oidc.iter().all(|issuer| issuer.issuer.as_str() != subject.issuer) {
            return Err(Refusal::field("oidc.issuer", "is not configured here: add it to `[[oidc]]` in octroi.toml"));
        }
        Ok(Credential::Oidc(subject))
    }
}

/// Who the gateway takes a caller for.
pub(crate) fn who(caller: &Caller) -> v1::WhoAmIResponse {
    let principal = caller.member().map(Member::principal);
    v1::WhoAmIResponse {
        name: principal.map(|it| it.name.to_string()).unwrap_or_default(),
        organisation: principal.map(|it| it.organisation.to_string()).unwrap_or_default(),
        role: principal.map_or(0, |it| it.role.to_wire().into()),
        credential: caller.credential().to_owned(),
    }
}

/// The credential of an issued certificate, and its chain in PEM.
fn issue(issued: Result<Issued, CallError>) -> Result<(Credential, String), Refusal> {
    let issued = issued.map_err(|error| match error {
        CallError::CertificateRequest => Refusal::field("certificate_request", error),
        CallError::Exists | CallError::Missing | CallError::Malformed | CallError::Unavailable(_) => {
            Refusal::internal(&error)
        }
    })?;
    let credential =
        Credential::Certificate { sha256: CertificateDigest::of(&issued.certificate), expires: issued.expires };
    Ok((credential, issued.chain_pem()))
}

fn count(items: usize) -> u32 {
    u32::try_from(items).unwrap_or(u32::MAX)
}

#[expect(clippy::unnecessary_wraps, reason = "what each method returns")]
fn answer(principal: &Principal) -> Result<Response<v1::Principal>, Status> {
    Ok(Response::new(principal.into()))
}
