#!/usr/bin/env python3
"""Golden scores of loci-reading's BM25, by the package that LongMemEval's published figures were made with.

    pip install rank_bm25==0.2.2
    python3 scripts/golden/bm25.py      writes crates/loci-reading/tests/fixtures/bm25.json

Texts are drawn from invented words. Tokens are cut here by Python, in both of the crate's ways, so that the tokenisers are
compared as well. Rankings put equal scores in the order of the documents.
"""

import json
import random
import re
from pathlib import Path

from rank_bm25 import BM25Okapi

FIXTURE = Path(__file__).parents[2] / "crates/loci-reading/tests/fixtures/bm25.json"
UNSPACED = "\u3005-\u3007\u3041-\u3096\u30a1-\u30fa\u30fc\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"


def words(text):
    return re.findall(rf"[{UNSPACED}]|[^\W_{UNSPACED}][^\W_{UNSPACED}\u0300-\u036f]*", text.lower())


def between_spaces(text):
    return text.split(" ")


CUTS = {"words": words, "between_spaces": between_spaces}
WEIGHTS = [(1.5, 0.75), (1.2, 0.75), (0.9, 0.4), (2.0, 1.0), (1.2, 0.0)]


def drawn(seed, documents, vocabulary, longest):
    """Documents whose words are as unevenly common as those of a language."""
    random.seed(seed)
    names = ["".join(random.choices("abcdefghiklmnoprstuv", k=random.randint(2, 7))) for _ in range(vocabulary)]
    weights = [1 / (rank + 1) for rank in range(vocabulary)]

    def text(length):
        chosen = random.choices(names, weights, k=length)
        return " ".join(word.capitalize() if random.random() < 0.1 else word for word in chosen)

    corpus = [text(random.randint(1, longest)) for _ in range(documents)]
    return corpus, [text(random.randint(1, 6)) for _ in range(3)]


CORPORA = [
    (["the cat sat", "the dog ran away", "a bird"], ["cat", "the the dog", "nothing", ""]),
    (["same text here", "same text here", "same other"], ["same", "text text here", "other"]),
    (["only one document"], ["one", "two"]),
    (["a  b\nc", "", "A b, b; c!", "it's Anna's"], ["a b", "c", "b\nc", "anna", "A  b,"]),
    (["北京是中国的首都。", "上海也在中国", "GPT在2.5%的题目上答错了", "Café Straße 北京"], ["中国的首都", "gpt 北京", "CAFÉ"]),
    drawn(1, 12, 30, 20),
    drawn(2, 40, 100, 30),
    drawn(3, 5, 6, 40),
]


def case(corpus, queries, cut, k1, b):
    index = BM25Okapi([CUTS[cut](text) for text in corpus], k1=k1, b=b)
    scores = [[float(score) for score in index.get_scores(CUTS[cut](query))] for query in queries]
    return {"corpus": corpus, "queries": queries, "cut": cut, "k1": k1, "b": b, "scores": scores}


if __name__ == "__main__":
    cases = []
    for number, (corpus, queries) in enumerate(CORPORA):
        for cut in CUTS:
            for k1, b in WEIGHTS if number == 5 else WEIGHTS[:2]:
                cases.append(case(corpus, queries, cut, k1, b))
    FIXTURE.parent.mkdir(parents=True, exist_ok=True)
    text = ",\n".join(json.dumps(one, ensure_ascii=False) for one in cases)
    FIXTURE.write_text('{"_": "By scripts/golden/bm25.py.", "cases": [\n' + text + "\n]}\n")
