//! What each name on the wire means, for readers, in Portuguese. A name means the same wherever it stands.

use serde_json::Value;

/// Names in alphabetical order, so that nobody explains one twice.
const NAMES: &[(&str, &str)] = &[
    (
        "action",
        "O que se fez: gostou, não gostou, escreveu à loja, viu de perto, comparou.",
    ),
    ("active", "Se a concessionária vende; sem isso, true."),
    ("active_dealerships", "Concessionárias que vendem."),
    ("active_only", "true mostra só as que vendem."),
    ("added", "Carros que são novos no estoque."),
    (
        "adjusted_weights",
        "O peso de cada critério depois do ajuste; somam 1.",
    ),
    ("adjustment_reason", "Por que as prioridades mudaram, ou não."),
    ("advantage", "Onde este carro mais ganha do próximo."),
    (
        "alternatives",
        "Carros que quase combinam, quando poucos combinam.",
    ),
    ("amostra", "Se o carro é inventado, para mostrar o produto."),
    ("ano", "Ano do modelo."),
    ("ano_maximo", "O ano mais novo."),
    ("ano_min", "O ano mais antigo."),
    ("ano_minimo", "O ano mais antigo."),
    ("assumptions", "O que foi suposto nas contas."),
    ("attention_points", "A que prestar atenção."),
    (
        "available",
        "Carros à venda no estoque; de um modelo, se já há um.",
    ),
    ("available_cars", "Carros à venda."),
    (
        "avg_duration_seconds",
        "Quanto durou uma interação em média, em segundos.",
    ),
    (
        "avg_price",
        "Preço médio dos carros à venda, em reais; null sem nenhum.",
    ),
    (
        "avg_price_liked",
        "Preço médio dos carros de que gostou, em reais.",
    ),
    ("avg_year_liked", "Ano médio dos carros de que gostou."),
    (
        "backups_gone_by",
        "Até quando uma cópia de segurança ainda pode ter algo.",
    ),
    ("best_score", "Quanto o melhor carro combina, de 0 a 1."),
    ("blindado", "Se é blindado."),
    (
        "budget_percentage",
        "Custo mensal em por cento do máximo por mês.",
    ),
    ("budget_range", "O orçamento, por extenso."),
    ("cambio", "Câmbio."),
    ("cambio_preferido", "Câmbios que agradam."),
    ("car", "O carro."),
    ("car_ano", "Ano do carro."),
    ("car_categoria", "Categoria do carro."),
    ("car_id", "Id do carro."),
    ("car_marca", "Marca do carro."),
    ("car_preco", "Preço do carro, em reais."),
    (
        "car_score",
        "Quanto o carro combinava quando foi mostrado, de 0 a 1.",
    ),
    ("cars", "Carros no estoque."),
    ("cars_by_brand", "Carros à venda por marca."),
    ("cars_by_category", "Carros à venda por categoria."),
    ("catalog_changed_at", "Quando o estoque mudou pela última vez."),
    (
        "catalog_version",
        "Versão do estoque; só vale comparar se é a mesma.",
    ),
    ("categoria", "Categoria."),
    ("changed", "Carros que mudaram."),
    ("city", "Cidade: do comprador ou da concessionária."),
    ("click_count", "Quantos cliques."),
    ("clicked_whatsapp", "Quantas vezes escreveu à loja."),
    ("clicked_whatsapp_count", "Quantas vezes escreveu à loja."),
    ("code", "Palavra estável, para programas."),
    ("combustivel", "Combustível."),
    ("combustivel_preferido", "Combustíveis que agradam."),
    ("comment", "Um comentário."),
    ("comparison", "Contra o próximo carro da lista."),
    ("confiabilidade", "Quanto a confiabilidade importa."),
    ("confidence", "Quanto se pode confiar no preço."),
    ("confidence_score", "Quanto se pode confiar no ajuste, de 0 a 1."),
    ("confirmado_em", "Dia em que o carro foi confirmado."),
    ("conforto", "Quanto o conforto importa."),
    ("contributions", "De onde vêm os pontos; somam match_percentage."),
    ("converged", "Se best_score chega a target_score."),
    ("cor", "Cor."),
    ("created", "Se a concessionária é nova."),
    ("criterion", "O critério."),
    ("currency", "Moeda."),
    (
        "current_profile",
        "As respostas do comprador, como em /recommend.",
    ),
    (
        "cursor",
        "Onde a página começa: vem da anterior, no cabeçalho Link.",
    ),
    ("custo_manutencao", "Quanto o custo de manutenção importa."),
    ("data_collection", "O que se coletou."),
    ("dealership", "Quem vende."),
    ("dealership_city", "Cidade de quem vende."),
    ("dealership_id", "Id da concessionária."),
    ("dealership_name", "Nome de quem vende."),
    ("dealership_phone", "Telefone de quem vende."),
    ("dealership_state", "Estado de quem vende."),
    ("dealership_whatsapp", "WhatsApp de quem vende, em E.164."),
    ("dealerships", "Concessionárias."),
    ("dealerships_by_state", "Concessionárias por estado."),
    ("depreciation_monthly", "Depreciação por mês, em reais."),
    ("destaque", "Se a loja o destaca."),
    ("detail", "Uma frase para uma pessoa."),
    ("disliked_count", "De quantos não gostou."),
    ("disponivel", "Se está à venda."),
    ("distance_km", "A quantos km do comprador."),
    ("diversificar", "Se a lista varia; sem isso, true."),
    ("drawback", "Onde este carro mais perde do próximo."),
    ("dry_run", "true confere tudo e não grava nada."),
    ("duration_seconds", "Quanto durou, em segundos."),
    ("economia", "Quanto a economia importa."),
    (
        "economic_total_monthly",
        "Custo econômico por mês, em reais: com depreciação, sem amortização.",
    ),
    ("email", "E-mail."),
    ("energy", "O que se abastece."),
    ("entrada", "Entrada, em reais."),
    ("equipamentos", "O que o carro tem."),
    ("erased_at", "Quando foi apagado."),
    ("erased_events", "Quantas avaliações e interações foram apagadas."),
    (
        "error_count",
        "Quantos erros há, quando errors traz só os primeiros.",
    ),
    ("errors", "Os erros, cada um com seu lugar."),
    ("espaco", "Quanto o espaço importa."),
    ("estado", "Estado onde o carro está."),
    ("etag", "A ETag do estoque."),
    ("events", "Avaliações e interações."),
    ("experiencia_anos", "Anos ao volante."),
    ("fact", "O fato por trás dos pontos."),
    ("feedback_counts", "Quantas avaliações de cada tipo."),
    ("feedbacks", "O que o comprador achou de cada carro; vazia é 400."),
    ("filter", "O filtro."),
    ("filters", "O que cada filtro tirou da lista."),
    ("financial_capacity", "Quanto se pode gastar; usado e descartado."),
    ("financial_health", "Quanto o custo pesa na renda."),
    ("financing_monthly", "Prestação por mês, em reais."),
    ("fits_budget", "Se o custo mensal cabe; null quando não se sabe."),
    ("frequencia_uso", "Com que frequência se anda."),
    ("fuel_monthly", "Combustível por mês, em reais."),
    ("held", "Se há algo ali."),
    ("history", "O que se lembra; null se não pôde ser lido agora."),
    ("id", "Identificador."),
    ("ids_erased", "Os ids apagados: o pedido e os ligados a ele."),
    ("imagens", "Endereços de fotos."),
    (
        "improved",
        "Se está mais alto do que com as prioridades de antes.",
    ),
    ("insights", "O que se aprendeu, em frases."),
    ("insurance_monthly", "Seguro por mês, em reais."),
    (
        "interaction_type",
        "O que se fez: clicou, viu de perto, escreveu à loja.",
    ),
    ("interactions_needed", "Quantas interações faltam."),
    ("interest_monthly", "Juros por mês, em reais."),
    ("ipva_monthly", "IPVA por mês, em reais."),
    ("ipva_pago", "Se o IPVA está pago."),
    ("is_disclosed", "false: nada disto é usado."),
    ("iteration", "O passo: sempre 1."),
    ("justification", "Por que combina."),
    (
        "kept_sold",
        "Ids que continuam vendidos, embora o estoque diga outra coisa.",
    ),
    ("kind", "feedback ou interaction."),
    ("km_max", "A maior quilometragem."),
    ("km_maxima", "A maior quilometragem."),
    ("km_mes", "Quilômetros por mês."),
    ("last_interaction", "Quando foi a última."),
    ("last_trained", "Quando foi treinado."),
    ("last_updated", "Quando o estoque mudou pela última vez."),
    ("latitude", "Latitude em graus; vem com longitude."),
    ("leilao", "Se veio de leilão."),
    ("licensing_monthly", "Licenciamento por mês, em reais."),
    ("liked_count", "De quantos gostou."),
    ("limit", "Quantos, no máximo."),
    ("linked_ids", "Outros ids da mesma pessoa."),
    ("location", "Onde o comprador está."),
    ("longitude", "Longitude em graus; vem com latitude."),
    ("maintenance_monthly", "Manutenção por mês, em reais."),
    ("marca", "Marca; apelidos como VW valem."),
    ("marcas_preferidas", "Marcas que agradam."),
    ("marcas_rejeitadas", "Marcas que não se quer."),
    ("match_percentage", "Quanto combina, de 0 a 100."),
    ("match_score", "Quanto combina, de 0 a 1."),
    ("max", "O maior."),
    ("max_iterations", "Aceito; um pedido é sempre um passo."),
    ("max_monthly_tco", "O máximo por mês, em reais."),
    ("message", "Uma frase para uma pessoa."),
    ("min", "O menor."),
    (
        "min_required_interactions",
        "Quantas interações um modelo precisa.",
    ),
    ("missed", "Pontos que faltaram."),
    ("ml_model", "O modelo."),
    ("ml_readiness", "Se já dá para treinar."),
    ("modelo", "Modelo."),
    ("monthly_income_range", "Faixa da renda mensal; outra é 400."),
    (
        "must_haves",
        "O que não pode faltar; também combustivel:… e categoria:….",
    ),
    ("name", "Nome."),
    ("nao_informado", "Carros de que não se sabe, e que ficaram."),
    ("necessita_espaco", "Se leva muita bagagem."),
    ("next", "O cursor da página seguinte; null na última."),
    ("next_steps", "O que fazer agora."),
    ("nome", "Nome do anúncio."),
    ("note", "O que fica ali, e por quanto tempo."),
    (
        "orcamento_max",
        "O máximo, em reais; menor que orcamento_min é 400.",
    ),
    ("orcamento_min", "O mínimo, em reais."),
    ("ordenar", "A ordem; iguais ficam na ordem dos ids."),
    (
        "original_weights",
        "O peso de cada critério antes do ajuste; somam 1.",
    ),
    ("performance", "Quanto o desempenho importa."),
    ("phone", "Telefone."),
    ("place", "O lugar."),
    ("places", "Onde poderia haver algo."),
    ("platform", "Os totais."),
    ("pointer", "JSON Pointer (RFC 6901) do campo."),
    ("points", "Pontos ganhos."),
    ("portas", "Portas."),
    ("prazo_meses", "Meses de financiamento."),
    ("preco", "Preço em reais."),
    ("preco_fipe", "Preço da tabela Fipe, em reais."),
    ("preco_max", "O preço mais alto, em reais."),
    ("preco_min", "O preço mais baixo, em reais."),
    (
        "preferred_brands",
        "Marcas de que gostou, a mais frequente antes.",
    ),
    (
        "preferred_categories",
        "Categorias de que gostou, a mais frequente antes.",
    ),
    ("premium", "Se a concessionária é premium."),
    ("price", "Preço de uma unidade, em reais."),
    ("price_range", "O menor e o maior preço à venda, em reais."),
    (
        "price_to_be_first",
        "A que preço este carro seria o primeiro, em reais.",
    ),
    ("price_to_be_first_text", "O mesmo, por extenso."),
    ("prices", "Os preços."),
    ("primeiro_carro", "Se é o primeiro carro."),
    ("prioridades", "Quanto cada qualidade importa, de 1 a 5."),
    (
        "priorizar_proximas",
        "Se os mais próximos vêm antes; sem isso, true.",
    ),
    ("profile_summary", "As respostas, resumidas."),
    (
        "progress_percentage",
        "Quanto já há do que um modelo precisa, em por cento.",
    ),
    ("quilometragem", "Quilômetros rodados."),
    ("raio_maximo_km", "Até que distância; só com city."),
    ("rating", "Nota, de 1 a 5."),
    ("ready_for_training", "Se há o bastante para treinar."),
    ("recent_feedbacks", "As últimas dez, a mais nova no fim."),
    ("recommendation_position", "O lugar na lista que foi mostrada."),
    ("recommendations", "Os carros, do melhor ao pior."),
    ("region", "Região do IBGE."),
    ("relaxed", "Os desejos de que se abriu mão."),
    ("removed", "Carros que saíram."),
    ("removed_only", "Carros que só este filtro tirou."),
    ("repeated", "true: já estava registrado, e não conta de novo."),
    ("request_id", "O número do pedido no registro do serviço."),
    ("revenda", "Quanto a revenda importa."),
    ("sample", "Se o estoque é inventado."),
    ("score", "Quanto o carro combinava quando foi mostrado, de 0 a 1."),
    ("score_conforto", "Conforto, de 0 a 1."),
    ("score_economia", "Economia, de 0 a 1."),
    ("score_familia", "Para famílias, de 0 a 1."),
    ("score_performance", "Desempenho, de 0 a 1."),
    ("score_seguranca", "Segurança, de 0 a 1."),
    ("searched", "Onde se procurou."),
    ("seguranca", "Quanto a segurança importa."),
    ("service", "O que atende."),
    ("session_id", "Id da visita, inventado pelo app."),
    ("sinistro", "Se teve sinistro."),
    ("source", "De onde vem o preço."),
    ("state", "Estado, em duas letras."),
    ("status", "Como está; num erro, o status HTTP."),
    ("store", "memory, ou como está o Redis."),
    (
        "stored",
        "Se está registrado; false: espera na memória e pode se perder.",
    ),
    ("suggestion", "O que fazer."),
    ("tamanho_familia", "Pessoas na família, com o comprador."),
    (
        "target_score",
        "A partir de quanto basta, de 0 a 1; sem isso, 0.85.",
    ),
    ("taxa_mes", "Juros por mês, em fração: 0.02 são 2 %."),
    ("tco_breakdown", "Quanto custa por mês, parte por parte."),
    ("tem_criancas", "Se há crianças."),
    ("tem_idosos", "Se há idosos."),
    ("text", "Por extenso."),
    ("timestamp", "Quando foi."),
    ("tipos_preferidos", "Categorias que agradam."),
    ("title", "O que houve, em poucas palavras."),
    ("token", "O token, mostrado uma só vez."),
    ("top_priorities", "O que mais importa."),
    ("total_cars", "Quantos carros há."),
    ("total_dealerships", "Concessionárias ao todo."),
    ("total_feedbacks", "Quantas avaliações."),
    ("total_interactions", "Quantas ao todo."),
    ("total_monthly", "Custo por mês, em reais."),
    ("total_recommendations", "Quantos carros vêm."),
    (
        "type",
        "Num erro, a URI estável do seu tipo; num evento, o que se fez.",
    ),
    ("unico_dono", "Se teve um só dono."),
    ("unique_cars", "Quantos carros distintos."),
    ("unique_sessions", "Quantas visitas distintas."),
    ("unique_users", "Quantas pessoas distintas."),
    ("unit", "A unidade."),
    ("updated_profile", "O que enviar como perfil daqui em diante."),
    ("usage", "O uso."),
    ("user_id", "Id do usuário, inventado pelo app."),
    (
        "user_key",
        "Abre, em X-User-Key, o que se guarda do id; vem uma só vez.",
    ),
    ("uso_principal", "Para que se quer o carro."),
    ("valid_from", "Desde quando vale."),
    ("verified", "Se a concessionária foi verificada."),
    ("versao", "Versão do modelo."),
    ("version", "Versão do programa, ou do modelo."),
    ("view_details_count", "Quantas vezes um carro foi visto de perto."),
    ("warnings", "O que foi aceito e não usado, com seu lugar."),
    ("website", "Site."),
    ("weight_adjustments", "Como os pesos mudaram."),
    ("whatsapp", "WhatsApp com DDD; em respostas, em E.164."),
    ("whatsapp_contact_count", "Quantas vezes se escreveu à loja."),
    ("whatsapp_url", "Abre uma conversa com quem vende."),
];

/// What a name means.
pub(super) fn of(name: &str) -> Option<&'static str> {
    let place = NAMES.binary_search_by_key(&name, |(name, _)| name).ok()?;
    Some(NAMES[place].1)
}

/// Every name that is explained.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|(name, _)| *name)
}

/// Takes out of a schema what its type says to programmers of this service.
pub(super) fn translate(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            // A field may be called so as well, and is then no text.
            for comment in ["description", "title"] {
                if members.get(comment).is_some_and(Value::is_string) {
                    members.remove(comment);
                }
            }
            members.values_mut().for_each(translate);
        }
        Value::Array(items) => items.iter_mut().for_each(translate),
        _ => {}
    }
}

/// Explains every field of every object in a document.
pub(super) fn explain(document: &mut Value) {
    match document {
        Value::Object(members) => {
            if let Some(Value::Object(properties)) = members.get_mut("properties") {
                for (name, schema) in properties {
                    if let (Value::Object(schema), Some(text)) = (schema, of(name)) {
                        schema.insert("description".to_owned(), text.into());
                    }
                }
            }
            members.values_mut().for_each(explain);
        }
        Value::Array(items) => items.iter_mut().for_each(explain),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prevents a name from not being found because it stands out of order.
    #[test]
    fn names_stand_in_order() {
        assert!(NAMES.is_sorted_by(|(one, _), (other, _)| one < other));
    }
}
