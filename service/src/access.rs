//! Who may do what: administrators by tokens of a mounted file, dealers by tokens whose digests the store keeps.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;

use crate::{
    error::ApiError,
    state::{State, dealers::TokenDigest},
};

/// How soon a changed file is noticed; Kubernetes itself takes up to a minute to change one.
const FILE_CHECK: Duration = Duration::from_secs(2);

/// The digests of the administrators' tokens, as the file has them now.
#[derive(Debug, Default)]
pub(crate) struct AdminTokens(ArcSwap<Vec<TokenDigest>>);

impl AdminTokens {
    /// Reads a file of tokens, one a line.
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        Ok(Self(ArcSwap::from_pointee(digests(path)?)))
    }

    /// Reads the file again and again. A file that is away meanwhile, as while it is being replaced, takes
    /// nobody's access.
    pub(crate) async fn keep_current(self: Arc<Self>, path: PathBuf) {
        let mut readable = true;
        loop {
            tokio::time::sleep(FILE_CHECK).await;
            match digests(&path) {
                Ok(now) => {
                    readable = true;
                    if **self.0.load() != now {
                        tracing::info!(tokens = now.len(), "the administrators' tokens have changed");
                        self.0.store(Arc::new(now));
                    }
                }
                Err(error) if readable => {
                    readable = false;
                    tracing::warn!(%error, "the administrators' tokens cannot be read; the old ones stay");
                }
                Err(_) => {}
            }
        }
    }

    /// Whether anybody is an administrator.
    fn configured(&self) -> bool {
        !self.0.load().is_empty()
    }

    /// Compares with every token, so that the time says nothing about which one it is.
    fn admit(&self, token: TokenDigest) -> bool {
        self.0
            .load()
            .iter()
            .fold(false, |admitted, known| admitted | (*known == token))
    }

    /// Lets an administrator through.
    ///
    /// # Errors
    /// Without any administrator there is no such route; else as [`known_dealer`].
    pub(crate) async fn let_admin(
        &self,
        state: &dyn State,
        token: Option<TokenDigest>,
    ) -> Result<(), ApiError> {
        if !self.configured() {
            return Err(ApiError::RouteNotFound);
        }
        let token = token.ok_or(ApiError::Unauthorized)?;
        if self.admit(token) {
            return Ok(());
        }
        known_dealer(state, token).await
    }

    /// Lets the dealer itself through, or an administrator.
    ///
    /// # Errors
    /// As [`known_dealer`].
    pub(crate) async fn let_dealer(
        &self,
        state: &dyn State,
        token: Option<TokenDigest>,
        dealership: &str,
    ) -> Result<(), ApiError> {
        let token = token.ok_or(ApiError::Unauthorized)?;
        if self.admit(token) || state.dealer_token(dealership).await? == Some(token) {
            return Ok(());
        }
        known_dealer(state, token).await
    }
}

/// Tells the token of another dealer, who is known and must not, from a token of nobody.
async fn known_dealer(state: &dyn State, token: TokenDigest) -> Result<(), ApiError> {
    let known = state.dealer_tokens().await?;
    if known.into_values().any(|digest| digest == token) {
        Err(ApiError::Forbidden)
    } else {
        Err(ApiError::Unauthorized)
    }
}

fn digests(path: &Path) -> io::Result<Vec<TokenDigest>> {
    let text = fs::read_to_string(path)?;
    let tokens = text.lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(tokens.map(TokenDigest::of).collect())
}
