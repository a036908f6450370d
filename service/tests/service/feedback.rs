//! `POST /feedback` and `GET /feedback/history/{user_id}`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    application::TestApplication,
    buyers::{a_moment_passes, cars, feedback, post_once, with, with_key},
};

/// Names that apps make for their requests: one that nobody guesses, and one that anybody may.
const SECRET: &str = "0d2b4c3a-5f1c-4a7e-9e8f-7a6b5c4d3e2f";
const COUNTED: &str = "1";

const RANDOM_ID: &str = "9f0c2a4e-5b7d-4e1f-8a3b-0c1d2e3f4a5b";

fn pointers(problem: &Value) -> Vec<&str> {
    problem["errors"]
        .as_array()
        .expect("errors")
        .iter()
        .map(|error| error["pointer"].as_str().expect("a pointer"))
        .collect()
}

/// Prevents an app from losing a field of the answer that it reads, and a history from being counted wrong.
#[tokio::test(flavor = "multi_thread")]
async fn feedback_is_kept_and_counted() {
    let application = TestApplication::embedded().await;
    let cars = cars(&application, 3).await;
    let car = application.get(&format!("/cars/{}", cars[0])).await.ok();
    let whole = json!({
        "user_id": "maria", "car_id": cars[0], "action": "liked", "session_id": "sessao-1", "rating": 5,
        "comment": "Gostei", "recommendation_position": 1, "car_marca": "Lada", "car_categoria": "Trator",
        "car_preco": 1, "car_ano": 1950, "car_score": 0.92, "timestamp": "2020-01-01T00:00:00Z",
    });
    let answer = application.post("/feedback", &whole).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(answer.header("cache-control"), "no-store");
    let answer = answer.json();
    let key = answer["user_key"].as_str().expect("a key").to_owned();
    assert_eq!(
        answer,
        json!({
            "status": "success", "message": "Avaliação registrada.", "user_id": "maria", "action": "liked",
            "car_id": cars[0], "user_key": key,
            "history": {"total_interactions": 1, "liked_count": 1, "disliked_count": 0, "clicked_whatsapp": 0,
                "preferred_brands": [car["marca"]], "preferred_categories": [car["categoria"]]},
        }),
        "the truth about a car is the catalogue's"
    );

    for (car, action) in [(&cars[1], "disliked"), (&cars[2], "clicked_whatsapp")] {
        a_moment_passes().await;
        let answer = application
            .post("/api/feedback", &feedback("maria", car, action))
            .await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        assert!(
            answer.json().get("user_key").is_none(),
            "only the first answer has it"
        );
    }
    let history = with_key(&application, Method::GET, "/feedback/history/maria", &key).await;
    assert_eq!(history.header("cache-control"), "no-store");
    let mut history = history.ok();
    let recent = history["recent_feedbacks"].take();
    assert_eq!(
        history,
        json!({
            "user_id": "maria", "total_interactions": 3, "liked_count": 1, "disliked_count": 1,
            "clicked_whatsapp_count": 1, "preferred_brands": [car["marca"]],
            "preferred_categories": [car["categoria"]], "avg_price_liked": car["preco"],
            "avg_year_liked": car["ano"].as_f64(), "recent_feedbacks": null,
        })
    );
    let recent = recent.as_array().expect("a list");
    let said: Vec<_> = recent
        .iter()
        .map(|item| {
            (
                item["car_id"].as_str().expect("an id"),
                item["action"].as_str().expect("a word"),
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            (cars[0].as_str(), "liked"),
            (cars[1].as_str(), "disliked"),
            (cars[2].as_str(), "clicked_whatsapp")
        ]
    );
    assert_eq!(recent[0]["car_marca"], car["marca"]);
    let year = recent[0]["timestamp"].as_str().expect("a time")[..4]
        .parse::<u16>()
        .expect("a year");
    assert!(year >= 2024, "the store says when it was: {year}");
}

/// Prevents a request that is sent again from counting twice, and another from being taken for it.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_counts_once() {
    let application = TestApplication::embedded().await;
    let cars = cars(&application, 2).await;
    let liked = feedback("maria", &cars[0], "liked");
    let first = post_once(&application, "/feedback", &liked, SECRET).await;
    assert_eq!(first.status, 201);
    let again = post_once(&application, "/feedback", &liked, SECRET).await;
    assert_eq!(again.status, 200, "{}", again.text);
    let (first, again) = (first.json(), again.json());
    assert_eq!(again["repeated"], true);
    assert_eq!(again["history"], first["history"]);
    assert_eq!(
        again["user_key"], first["user_key"],
        "whoever lost the first answer asks again"
    );

    for other in [
        feedback("maria", &cars[1], "liked"),
        feedback("maria", &cars[0], "disliked"),
        with(liked.clone(), json!({"rating": 5})),
    ] {
        let problem = post_once(&application, "/feedback", &other, SECRET)
            .await
            .problem(422);
        assert_eq!(
            problem["type"],
            "urn:problem-type:faciliauto:idempotency-mismatch"
        );
    }
    let other_person = post_once(
        &application,
        "/feedback",
        &feedback("joao", &cars[0], "liked"),
        SECRET,
    )
    .await;
    assert_eq!(other_person.status, 201, "names are each person's own");
    let compared = feedback("rita", &cars[0], "compared");
    for key_is_there in [true, false] {
        let answer = post_once(&application, "/feedback", &compared, COUNTED)
            .await
            .json();
        assert_eq!(answer.get("user_key").is_some(), key_is_there, "{answer}");
    }

    // Without a name: the deed within seconds. Windows end, so one of two attempts lies within one.
    let mut repeated = false;
    for attempt in 0..2 {
        let user = format!("ana-{attempt}");
        let body = feedback(&user, &cars[0], "liked");
        application.post("/feedback", &body).await;
        let again = application.post("/feedback", &body).await.json();
        assert!(again.get("user_key").is_none(), "a guess gets no key: {again}");
        repeated |= again["repeated"] == true && again["history"]["total_interactions"] == 1;
    }
    assert!(repeated);
    // What is new to say is no repetition.
    let rated = with(liked, json!({"rating": 4}));
    assert_eq!(application.post("/feedback", &rated).await.status, 201);
}

/// Prevents many copies of one request at the same time from being stored more than once.
#[tokio::test(flavor = "multi_thread")]
async fn at_the_same_time_one_is_stored() {
    let application = TestApplication::embedded().await;
    let car = &cars(&application, 1).await[0];
    let body = feedback("maria", car, "liked");
    let sent = (0..12).map(|_| post_once(&application, "/feedback", &body, "one"));
    let answers = futures::future::join_all(sent).await;
    let created = answers.iter().filter(|answer| answer.status == 201).count();
    let repeated = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!((created, repeated), (1, 11));
}

/// Prevents a mistake from being stored, or from being refused without saying which field it is.
#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_named() {
    let application = TestApplication::embedded().await;
    let car = &cars(&application, 1).await[0];
    let good = feedback("maria", car, "liked");
    for (body, expected) in [
        (json!({}), vec!["/user_id", "/car_id", "/action"]),
        (json!([1]), vec![""]),
        (
            json!({"user_id": "", "car_id": 7, "action": "amei"}),
            vec!["/user_id", "/car_id", "/action"],
        ),
        (
            with(
                good.clone(),
                json!({"user_id": "a\nb", "session_id": "x".repeat(129), "rating": 6,
                "comment": "x".repeat(1001), "recommendation_position": -1, "car_score": 1.01, "car_preco": "x",
                "car_ano": 1}),
            ),
            vec![
                "/user_id",
                "/session_id",
                "/rating",
                "/comment",
                "/recommendation_position",
                "/car_score",
                "/car_preco",
                "/car_ano",
            ],
        ),
        (with(good.clone(), json!({"rating": 4.5})), vec!["/rating"]),
    ] {
        let problem = application.post("/feedback", &body).await.problem(422);
        assert_eq!(pointers(&problem), expected, "{problem}");
    }
    let unknown = application
        .post("/feedback", &feedback("maria", "nenhum", "liked"))
        .await
        .problem(404);
    assert_eq!(unknown["type"], "urn:problem-type:faciliauto:car-not-found");
    for name in ["", "a b", &"x".repeat(256)] {
        let problem = post_once(&application, "/feedback", &good, name)
            .await
            .problem(422);
        assert_eq!(pointers(&problem), ["/Idempotency-Key"], "{problem}");
        assert_eq!(problem["errors"][0]["code"], "idempotency_key");
    }
    application.get("/feedback").await.problem(405);
    with_key(&application, Method::GET, "/feedback/history/maria", "x")
        .await
        .problem(404);

    let odd = with(
        good,
        json!({"humor": 1, "rating": null, "comment": "é".repeat(1000)}),
    );
    let answer = application.post("/feedback", &odd).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(answer.json()["warnings"][0]["pointer"], "/humor");
}

/// Prevents a history from being read by whoever guesses an id, and a refusal from telling whether the id is known.
#[tokio::test(flavor = "multi_thread")]
async fn a_history_opens_for_its_owner_alone() {
    let application = TestApplication::embedded().await;
    let cars = cars(&application, 2).await;
    let first = application
        .post("/feedback", &feedback("maria", &cars[0], "liked"))
        .await
        .json();
    let key = first["user_key"].as_str().expect("a key");
    let path = "/feedback/history/maria";
    let refusals = [
        application.get(path).await,
        with_key(&application, Method::GET, path, &"0".repeat(64)).await,
        application.get("/feedback/history/unknown").await,
        with_key(&application, Method::GET, "/feedback/history/unknown", key).await,
        application.get(&format!("/feedback/history/{RANDOM_ID}")).await,
    ];
    for refusal in refusals {
        let mut problem = refusal.problem(404);
        problem["request_id"] = Value::Null;
        assert_eq!(
            problem,
            json!({"type": "urn:problem-type:faciliauto:history-not-found", "title": "Histórico não encontrado",
                "status": 404, "request_id": null,
                "detail": "Não há histórico com este id, ou falta a chave dele no cabeçalho X-User-Key."})
        );
    }
    // Nor does the answer to a feedback tell a stranger what somebody likes.
    let stranger = application
        .post("/feedback", &feedback("maria", &cars[1], "disliked"))
        .await
        .json();
    assert_eq!(stranger["history"]["preferred_brands"], json!([]));
    assert_eq!(stranger["history"]["preferred_categories"], json!([]));

    with_key(&application, Method::GET, path, key).await.ok();
    let body = feedback(RANDOM_ID, &cars[0], "liked");
    assert_eq!(application.post("/feedback", &body).await.status, 201);
    for path in [
        format!("/feedback/history/{RANDOM_ID}"),
        format!("/api/feedback/history/{RANDOM_ID}"),
    ] {
        assert_eq!(application.get(&path).await.ok()["total_interactions"], 1);
    }
    let head = application
        .send(
            application
                .client
                .head(format!("{}/feedback/history/{RANDOM_ID}", application.api)),
        )
        .await;
    assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
}

/// Prevents apps that know no keys from losing histories where their operators decided so.
#[tokio::test(flavor = "multi_thread")]
async fn a_setting_opens_histories() {
    let application = TestApplication::start(&[("FACILIAUTO_OPEN_HISTORY", "true")]).await;
    let cars = cars(&application, 12).await;
    for car in &cars {
        a_moment_passes().await;
        application
            .post("/feedback", &feedback("josé/maria & filhos", car, "liked"))
            .await;
    }
    let history = application
        .get("/feedback/history/jos%C3%A9%2Fmaria%20%26%20filhos")
        .await
        .ok();
    assert_eq!(history["user_id"], "josé/maria & filhos");
    assert_eq!(history["total_interactions"], 12);
    let recent = history["recent_feedbacks"].as_array().expect("a list");
    assert_eq!(recent.len(), 10);
    assert_eq!(recent[9]["car_id"], cars[11].as_str(), "the newest is the last");
    application.get("/feedback/history/unknown").await.problem(404);
    let problem = application
        .get(&format!("/feedback/history/{}", "x".repeat(129)))
        .await
        .problem(422);
    assert_eq!(pointers(&problem), ["/user_id"]);
    application.get("/feedback/history/a%00b").await.problem(422);
}
