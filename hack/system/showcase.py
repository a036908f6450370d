"""What a person sees at the end of `up`: five cars for a questionnaire, and what to try next."""

from __future__ import annotations

import json

from target import NAMESPACE, OPERATOR_NAMESPACE, RESOURCE, Target

QUESTIONNAIRE = {
    "orcamento_min": 50000,
    "orcamento_max": 90000,
    "uso_principal": "familia",
    "tamanho_familia": 4,
    "tem_criancas": True,
    "prioridades": {"seguranca": 5, "espaco": 4, "economia": 4},
    "limit": 5,
}
MEASURE = 88


def print_recommendation(target: Target) -> None:
    """What the pods answer to the questionnaire, through their Service."""
    answer = target.call_service(NAMESPACE, RESOURCE, "/recommend", QUESTIONNAIRE)
    stock = target.call_service(NAMESPACE, RESOURCE, "/health")
    profile = answer["profile_summary"]
    print(
        f"The best {answer['total_recommendations']} of {stock['cars']} cars for {profile['usage']},"
        f" {profile['budget_range']} (catalogue {answer['catalog_version']}):\n"
    )
    for place, item in enumerate(answer["recommendations"], start=1):
        car = item["car"]
        print(
            f" {place}. {item['match_percentage']:>5.1f} %  {price(car['preco']):>12}  {car['nome']} {car['ano']}"
            f"  ({car['dealership_city']}/{car['dealership_state']})"
        )
        print(f"              {shorten(item['justification'])}")
        print(f"              {price(item['tco_breakdown']['total_monthly'])} a month, all told")
    print()


def price(reais: float) -> str:
    """R$ as Brazilians write it, without cents."""
    return "R$ " + f"{reais:,.0f}".replace(",", ".")


def shorten(sentence: str) -> str:
    """At most one line of a terminal."""
    return sentence if len(sentence) <= MEASURE else sentence[: MEASURE - 1].rsplit(" ", 1)[0] + "…"


def print_next_steps(target: Target) -> None:
    """The lines that a person would look up otherwise."""
    kubectl = "kubectl"
    print("Try next:")
    if target.local:
        print(f"  alias kubectl='{target.kubectl_path} --kubeconfig {target.kubeconfig}'")
    print(f"  {kubectl} -n {NAMESPACE} get fad,pods,hpa")
    print(f"  {kubectl} -n {NAMESPACE} port-forward service/{RESOURCE} 8000:http    # then, in another terminal:")
    print(f"  curl -s localhost:8000/recommend --json '{json.dumps(QUESTIONNAIRE)}'")
    print(f"  {kubectl} -n {OPERATOR_NAMESPACE} logs deployment/faciliauto-operator -f")
    print(f"  {kubectl} -n {NAMESPACE} logs -l app.kubernetes.io/component=api -f")
    print(f"  {kubectl} explain fad.spec.autoscaling")
