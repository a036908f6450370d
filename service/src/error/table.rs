//! How HTTP tells each error: one row for each.

use actix_web::http::StatusCode;

use super::ApiError;

/// One row of the table.
pub(super) struct Row {
    pub(super) status: StatusCode,
    /// The last part of the stable type; also the key for people who search the documentation.
    pub(super) kind: &'static str,
    pub(super) title: &'static str,
    pub(super) detail: String,
}

impl ApiError {
    /// The table.
    pub(super) fn row(&self) -> Row {
        let (status, kind, title, detail): (_, _, _, &str) = match self {
            Self::BrokenJson { line, column } => {
                let detail = format!("O corpo do pedido não é JSON válido: linha {line}, coluna {column}.");
                return Row {
                    status: StatusCode::BAD_REQUEST,
                    kind: "broken-json",
                    title: "JSON inválido",
                    detail,
                };
            }
            Self::NotReady { reason } => {
                let detail = format!("Este processo não deve receber pedidos agora: {reason}.");
                let status = StatusCode::SERVICE_UNAVAILABLE;
                return Row {
                    status,
                    kind: "not-ready",
                    title: "Indisponível",
                    detail,
                };
            }
            Self::BrokenBody => (
                StatusCode::BAD_REQUEST,
                "broken-body",
                "Corpo ilegível",
                "O corpo do pedido não pôde ser lido como foi enviado.",
            ),
            Self::Contradiction(_) => (
                StatusCode::BAD_REQUEST,
                "contradiction",
                "Respostas contraditórias",
                "As respostas se contradizem ou citam o que não existe; veja quais em errors.",
            ),
            Self::NoFeedback => (
                StatusCode::BAD_REQUEST,
                "no-feedback",
                "Nenhuma avaliação",
                "A lista feedbacks está vazia: envie ao menos uma avaliação de carro.",
            ),
            Self::InvalidFields(_) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid-fields",
                "Campos inválidos",
                "Há campos ausentes ou inválidos; veja quais em errors.",
            ),
            Self::CarNotFound => (
                StatusCode::NOT_FOUND,
                "car-not-found",
                "Carro não encontrado",
                "Não há carro com este id.",
            ),
            Self::DealershipNotFound => (
                StatusCode::NOT_FOUND,
                "dealership-not-found",
                "Concessionária não encontrada",
                "Não há concessionária com este id.",
            ),
            Self::HistoryNotFound => (
                StatusCode::NOT_FOUND,
                "history-not-found",
                "Histórico não encontrado",
                "Não há histórico com este id, ou falta a chave dele no cabeçalho X-User-Key.",
            ),
            Self::KeyNeeded => (
                StatusCode::UNAUTHORIZED,
                "key-needed",
                "Acesso não identificado",
                "Envie a chave deste id no cabeçalho X-User-Key, ou o token de um administrador.",
            ),
            Self::BufferFull => (
                StatusCode::SERVICE_UNAVAILABLE,
                "buffer-full",
                "Gravação indisponível",
                "Há interações demais à espera do armazenamento. Esta não foi guardada; tente de novo em instantes.",
            ),
            Self::RouteNotFound => (
                StatusCode::NOT_FOUND,
                "route-not-found",
                "Endereço não encontrado",
                "Não há nada neste endereço.",
            ),
            Self::MethodNotAllowed { .. } => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "Método não permitido",
                "Este endereço não atende este método; veja os permitidos no cabeçalho Allow.",
            ),
            Self::NotAcceptable => (
                StatusCode::NOT_ACCEPTABLE,
                "not-acceptable",
                "Codificação indisponível",
                "Nenhuma das codificações aceitas pelo cliente está disponível.",
            ),
            Self::TooSlow => (
                StatusCode::REQUEST_TIMEOUT,
                "too-slow",
                "Pedido lento demais",
                "O pedido não chegou inteiro a tempo.",
            ),
            Self::BodyTooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "body-too-large",
                "Pedido grande demais",
                "O corpo do pedido é maior do que este endereço aceita.",
            ),
            Self::HeadTooLarge => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "head-too-large",
                "Cabeçalhos grandes demais",
                "O endereço e os cabeçalhos do pedido somam mais do que o serviço aceita.",
            ),
            Self::UnsupportedMediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                "Formato não aceito",
                "Envie o corpo como JSON, com Content-Type: application/json.",
            ),
            Self::BadRequest => (
                StatusCode::BAD_REQUEST,
                "bad-request",
                "Pedido inválido",
                "O pedido não pôde ser entendido.",
            ),
            Self::NoCatalogue => (
                StatusCode::SERVICE_UNAVAILABLE,
                "no-catalogue",
                "Estoque indisponível",
                "O estoque ainda não foi carregado. Tente de novo em instantes.",
            ),
            Self::Busy => (
                StatusCode::SERVICE_UNAVAILABLE,
                "busy",
                "Serviço ocupado",
                "Há pedidos demais neste momento. Tente de novo em instantes.",
            ),
            Self::InvalidRows { total, .. } => {
                let detail = format!(
                    "O estoque não foi gravado: erros encontrados: {total}; errors traz os primeiros 100."
                );
                return Row {
                    status: StatusCode::UNPROCESSABLE_ENTITY,
                    kind: "invalid-rows",
                    title: "Estoque com erros",
                    detail,
                };
            }
            Self::Unauthorized => (
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                "Acesso não identificado",
                "Envie um token válido no cabeçalho Authorization: Bearer.",
            ),
            Self::Forbidden => (
                StatusCode::FORBIDDEN,
                "forbidden",
                "Acesso negado",
                "Este token não dá acesso a este endereço.",
            ),
            Self::EtagMismatch => (
                StatusCode::PRECONDITION_FAILED,
                "etag-mismatch",
                "O estoque mudou",
                "O estoque não é mais o que o If-Match indica. Leia-o de novo antes de gravar.",
            ),
            Self::IdempotencyMismatch => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency-mismatch",
                "Chave já usada em outro pedido",
                "Esta Idempotency-Key já foi usada com outro conteúdo. Use uma chave nova para um pedido novo.",
            ),
            Self::IdempotencyKeyUsed => (
                StatusCode::CONFLICT,
                "idempotency-key-used",
                "Token já feito",
                "Com esta Idempotency-Key o token já foi feito e só é mostrado uma vez. Use uma chave nova para fazer outro.",
            ),
            Self::StockMoved => (
                StatusCode::CONFLICT,
                "stock-moved",
                "Gravações demais ao mesmo tempo",
                "Outras gravações chegaram antes repetidas vezes; nada foi gravado. Tente de novo.",
            ),
            Self::StoreUnavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "store-unavailable",
                "Gravação indisponível",
                "O armazenamento não respondeu, e não se sabe se o pedido foi gravado. Tente de novo em instantes.",
            ),
            Self::StoreNotOpen => (
                StatusCode::SERVICE_UNAVAILABLE,
                "store-not-open",
                "Gravação indisponível",
                "O armazenamento ainda não foi iniciado. Nada foi gravado.",
            ),
            Self::WritesHeldBack => (
                StatusCode::SERVICE_UNAVAILABLE,
                "writes-held-back",
                "Gravação suspensa",
                "Uma restauração está em curso. Nada foi gravado; tente de novo em instantes.",
            ),
            Self::StoreFull => (
                StatusCode::INSUFFICIENT_STORAGE,
                "store-full",
                "Sem espaço",
                "Não há espaço para gravar. O que havia antes continua valendo.",
            ),
            Self::TooManyRequests { .. } => (
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-requests",
                "Pedidos demais",
                "Este endereço de rede fez pedidos demais; veja em Retry-After quando tentar de novo.",
            ),
            Self::Internal => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "Erro interno",
                "Algo deu errado do nosso lado. O número do pedido ajuda a encontrar a causa.",
            ),
        };
        Row {
            status,
            kind,
            title,
            detail: detail.to_owned(),
        }
    }
}
