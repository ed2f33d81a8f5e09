"""The official OpenAI client against a running server: python openai_client.py URL. Ends with exit code 0 if all fits."""

import json
import sys

import openai
from openai import OpenAI

client = OpenAI(base_url=f"{sys.argv[1]}/v1", api_key=sys.argv[2] if len(sys.argv) > 2 else "none", max_retries=0)
model = client.models.list().data[0].id
QUESTION = [{"role": "user", "content": "Paris is the capital of France. What is the capital of France?"}]


def check(condition, what):
    if not condition:
        sys.exit(f"failed: {what}")
    print(f"ok: {what}")


answer = client.chat.completions.create(model=model, messages=QUESTION, max_tokens=24, temperature=0)
text = answer.choices[0].message.content
check("Paris" in text, f"a chat: {text!r}")
check(answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens, "its tokens")

pieces, finish = [], None
with client.chat.completions.create(
    model=model, messages=QUESTION, max_tokens=24, temperature=0, stream=True, stream_options={"include_usage": True}
) as stream:
    for chunk in stream:
        usage = chunk.usage
        for choice in chunk.choices:
            pieces.append(choice.delta.content or "")
            finish = choice.finish_reason or finish
check("".join(pieces) == text and len(pieces) > 3, "the same as a stream")
check(finish in ("stop", "length") and usage.completion_tokens > 0, "its end and its tokens")

drawn = [
    client.chat.completions.create(model=model, messages=QUESTION, max_tokens=16, temperature=1.2, seed=seed)
    for seed in (7, 7, 8)
]
drawn = [one.choices[0].message.content for one in drawn]
check(drawn[0] == drawn[1] != drawn[2], "a seed decides what is drawn")

several = client.chat.completions.create(model=model, messages=QUESTION, max_tokens=8, n=3, temperature=1, seed=1)
check(len({choice.message.content for choice in several.choices}) > 1, "several answers")

stopped = client.chat.completions.create(model=model, messages=QUESTION, max_tokens=24, temperature=0, stop=["Paris"])
check(
    "Paris" not in stopped.choices[0].message.content and stopped.choices[0].finish_reason == "stop", "a string that stops"
)

likely = client.chat.completions.create(
    model=model, messages=QUESTION, max_tokens=4, temperature=0, logprobs=True, top_logprobs=3
)
tokens = likely.choices[0].logprobs.content
check(len(tokens) == 4 and all(len(token.top_logprobs) == 3 for token in tokens), "likelihoods")
check(all(token.logprob == max(top.logprob for top in token.top_logprobs) for token in tokens), "of the likeliest tokens")
check(bytes(sum((token.bytes for token in tokens), [])).decode() == likely.choices[0].message.content, "whose bytes are the text")

schema = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 20}, "country": {"enum": ["France", "Spain"]}},
    "required": ["city", "country"],
    "additionalProperties": False,
}
fitted = client.chat.completions.create(
    model=model,
    messages=QUESTION,
    max_tokens=64,
    temperature=0,
    response_format={"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}},
)
value = json.loads(fitted.choices[0].message.content)
check(set(value) == {"city", "country"} and value["country"] in ("France", "Spain"), f"an answer that fits a schema: {value}")

weather = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather at a place",
        "parameters": {
            "type": "object",
            "properties": {"place": {"type": "string", "maxLength": 24}},
            "required": ["place"],
            "additionalProperties": False,
        },
    },
}
asked = [{"role": "user", "content": "What is the weather in Oslo?"}]
called = client.chat.completions.create(
    model=model, messages=asked, tools=[weather], tool_choice="required", max_tokens=64, temperature=0
)
call = called.choices[0].message.tool_calls[0]
check(called.choices[0].finish_reason == "tool_calls" and call.function.name == "weather", "a tool is called")
check(isinstance(json.loads(call.function.arguments)["place"], str), f"with arguments that fit: {call.function.arguments}")
told = client.chat.completions.create(
    model=model,
    messages=[
        *asked,
        {"role": "assistant", "content": None, "tool_calls": [call.model_dump()]},
        {"role": "tool", "tool_call_id": call.id, "content": "It rains in Oslo."},
    ],
    tools=[weather],
    tool_choice="none",
    max_tokens=32,
    temperature=0,
)
check(told.choices[0].message.content and not told.choices[0].message.tool_calls, "what a tool said is read")
streamed_calls = {}
for chunk in client.chat.completions.create(
    model=model, messages=asked, tools=[weather], tool_choice="required", max_tokens=64, temperature=0, stream=True
):
    for choice in chunk.choices:
        for piece in choice.delta.tool_calls or []:
            held = streamed_calls.setdefault(piece.index, {"name": "", "arguments": ""})
            held["name"] += piece.function.name or ""
            held["arguments"] += piece.function.arguments or ""
check(
    streamed_calls[0]["name"] == "weather" and json.loads(streamed_calls[0]["arguments"]) == json.loads(call.function.arguments),
    "the same call as a stream",
)

plain = client.completions.create(model=model, prompt="One, two, three,", max_tokens=6, temperature=0)
check("four" in plain.choices[0].text, f"plain text goes on: {plain.choices[0].text!r}")

response = client.responses.create(model=model, input="Paris is the capital of France. What is the capital of France?", max_output_tokens=24)
check("Paris" in response.output_text, f"a response: {response.output_text!r}")
with client.responses.stream(model=model, input="Paris is the capital of France. What is the capital of France?", max_output_tokens=24) as stream:
    deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
    final = stream.get_final_response()
check("".join(deltas) == final.output_text and len(deltas) > 3, "a response as a stream")

encoders = [served.id for served in client.models.list().data if served.loci["embeddings"]]
if encoders:
    texts = ["The cat sits on the mat.", "A kitten is sitting on a rug.", "Interest rates rose again."]
    vectors = [one.embedding for one in client.embeddings.create(model=encoders[0], input=texts).data]

    def alike(a, b):
        return sum(x * y for x, y in zip(vectors[a], vectors[b], strict=True))

    check(alike(0, 1) > alike(0, 2) + 0.2, f"vectors tell what is alike: {alike(0, 1):.2f} {alike(0, 2):.2f}")

ABOUT = {"query": "Who built the mill?", "documents": ["It rains.", "Lars Holm built the mill.", "Gulls cry."]}
for ranker in [model, *encoders[:1]]:
    ranked = client.post("/rerank", cast_to=object, body={"model": ranker, **ABOUT})
    order = [one["index"] for one in ranked["results"]]
    check(sorted(order) == [0, 1, 2] and ranked["model"] == ranker, f"{ranker} ranks: {order}, {ranked['loci']}")
    check(ranker not in encoders or order[0] == 1, "an encoder finds what is meant")

documents = [{"name": "village", "text": " ".join(ABOUT["documents"] * 20)}]
asked = client.chat.completions.create(
    model=model,
    messages=[{"role": "user", "content": ABOUT["query"]}],
    max_tokens=24,
    extra_body={"loci": {"read": "alr2:quotes=1", "documents": documents}},
)
quoted = asked.loci["evidence"]
check(all(one["text"] in documents[0]["text"] for one in quoted) and quoted, f"a strategy quotes: {quoted}")
check("Holm" in asked.choices[0].message.content, f"and answers: {asked.choices[0].message.content!r}")

for wrong, kind in [
    ({"temperature": 9}, openai.BadRequestError),
    ({"model": "no such model"}, openai.NotFoundError),
]:
    try:
        client.chat.completions.create(**{"model": model, "messages": QUESTION, **wrong})
        check(False, f"{wrong} was refused")
    except kind as error:
        check(error.body["message"], f"{wrong} was refused: {error.body['message']}")
