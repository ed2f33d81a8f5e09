#!/usr/bin/env python3
"""Golden values of the metrics of loci-eval, by the packages that the published scorers use.

    pip install rouge==1.0.1 sacrebleu==2.6.0 jieba==0.42.1 rapidfuzz==3.14.6 scipy scikit-learn
    python3 scripts/golden/eval_metrics.py      writes crates/loci-eval/tests/fixtures/metrics.json

What no package has (normalised F1, classes, numbers, reordering) is written here from its definition, in another way
than in Rust: with regular expressions and counters.
"""

import json
import logging
import math
import re
import string
import unicodedata
from collections import Counter
from pathlib import Path

import jieba
import numpy as np
import sacrebleu
from rapidfuzz import fuzz
from rouge import Rouge
from scipy.stats import kendalltau
from sklearn.metrics import ndcg_score

FIXTURE = Path(__file__).parents[2] / "crates/loci-eval/tests/fixtures/metrics.json"
jieba.setLogLevel(logging.ERROR)

PAIRS = [
    ("", ""),
    ("", "something"),
    ("something", ""),
    (".", "something"),
    ("...", "..."),
    ("something", " . "),
    ("the", "a"),
    ("Paris", "paris"),
    ("It was Paris, the capital of France.", "Paris"),
    ("The river froze in January", "The river froze in January"),
    ("the the the river", "the river river"),
    ("One. Two. Three.", "Three. Two. One."),
    ("A ship left. It sank. Nobody saw it. ", "A ship sank and nobody saw it leave."),
    ("b a c b d a b", "a b c b d a b"),
    ("x y z w x y", "y x w z y x"),
    ("the cat sat on the mat. the dog lay by the door.", "a dog lay on the mat. the cat sat by the fire."),
    ("no  double\tblanks\nhere", "no double blanks here"),
    ("unit\x1cseparators and\u00a0hard blanks\u3000too", "unit separators and hard blanks too"),
    ("An_article in-the-middle, e.g. a.m. or the end", "anarticle inthemiddle eg or end"),
    ("It costs 3.50, i.e. 1,200.75 - or 7-8% (roughly)...", "It cost 3.5 , about 1,200 or 7-8 %"),
    ("line one -\nline two &quot;quoted&quot; &amp;lt;", 'line one line two "quoted" <'),
    ("don't <skipped> [stop]; {now}/~`then`?!", "do n't stop now / then ?"),
    ("😀 smile 😀", "😀 smile"),
    ("Ünïcödé naïve café Straße", "ünïcödé naive café strasse"),
    ("word " * 60, "word other " * 20),
    ("a b c d e f g h i j", "a b c d x f g h i y"),
    ("我昨天在图书馆借了三本书。", "他昨天去图书馆还了两本书。"),
    ("北京是中国的首都", "北京是中国的首都"),
    ("北京。上海！广州？", "广州,上海.北京"),
    ("《城南旧事》写于1960年，作者是林海音。", "林海音，1960年"),
    ("模型GPT在2.5%的题目上答错了", "模型 GPT 答错了 2.5% 的题目"),
    ("小明说：“今天天气真好……我们去公园吧”——然后就走了", "小明说今天天气好，要去公园"),
    ("這是繁體中文的句子", "这是简体中文的句子"),
    ("𠀀𠀁生僻字", "生僻字𠀀"),
    ("ＦＵＬＬ　ｗｉｄｔｈ（括号）", "full width 括号"),
    ("。", "。。"),
]

SEGMENT = [
    "",
    "我昨天在图书馆借了三本书。",
    "小说里的老人每天清晨都要沿着河边散步，从不间断。",
    "研究生命的起源",
    "他来到了网易杭研大厦",
    "张三丰和李小龙在1973年3月见面，谈了2.5个小时。",
    "C++和Python3都可以, e-mail: a.b@c.com 100%",
    "長江大橋的市長江大橋參加了通車儀式",
    "😀表情 \t和\n\n空白　　都保留",
    "《红楼梦》第一百二十回，贾宝玉——“通灵宝玉”……",
    "永和服装饰品有限公司结婚的和尚未结婚的",
]

EDITS = [
    ("", ""),
    ("", "a"),
    ("a", ""),
    ("a", "a"),
    ("a", "b" * 6 + "a" + "b" * 8),
    ("return self.value", "return self._value"),
    ("for i in range(10):", "for index in range(0, 10):"),
    ("ababababab", "bababababa"),
    ("    x = y  ", "x=y"),
    ("é😀中", "中😀é"),
    ("abcdefgh", "hgfedcba"),
    ("int main(void) {", "int main() {"),
]

CODE = [
    ("\n\n```python\n# comment\nx = 1\n", "x = 1"),
    ("// first\n# second", "x"),
    ("x = 1 # why\ny = 2", "y = 2"),
    ("   \nx", "x"),
    ("", "x"),
    ("\r\nx", "x"),
]

CLASSES = [
    ("Definition of something", "Definition of something", ["Definition of something", "Definition", "Reason", "City"]),
    ("City or Reason", "City", ["City", "Reason", "State"]),
    ("Other city", "Other location", ["Other location", "Other", "City", "city"]),
    ("", "City", ["City"]),
    ("a b abc", "abc", ["a", "b", "abc"]),
    ("a a abc", "abc", ["a", "a", "b", "abc"]),
    ("体育新闻", "体育", ["体育", "新闻", "财经"]),
    ("X", "Y", []),
    ("Y", "Y", ["X"]),
]

NUMBERS = [
    ("The answer is 7.", "7"),
    ("7 or 8, certainly not 7", "7"),
    ("seven", "7"),
    ("07, 77, 7.7", "7"),
    ("Paragraph 3", "3"),
    ("", "3"),
]

RETRIEVAL = [
    ("Paragraph 12", "Paragraph 12"),
    ("It is Paragraph 1 or Paragraph 12", "Paragraph 12"),
    ("12", "see Paragraph 12 and Paragraph 13"),
    ("段落3", "段落3"),
    ("段落13和段落3", "段落3"),
]

CORPORA = [
    [("the cat sat on the mat", ["the cat sat on a mat"]), ("it rained", ["it rained all day", "rain fell"])],
    [("a b", ["a b"]), ("c", ["c"])],
    [("a b c d e", ["a b c d e"])],
    [("", ["x y z"]), ("one two three four five six", ["one two three four nine six", "two three four five six"])],
    [("nothing in common here", ["entirely different words stand there"])],
    [("我昨天在图书馆借了书。", ["我昨天在图书馆借了三本书。"]), ("天气很好！", ["今天天气真好！", "天气好"])],
]

GAINS = [
    ([1, 0, 0, 1, 0], 3),
    ([0, 1, 0, 0], 1),
    ([0, 0, 1, 1, 1, 0], 5),
    ([0, 0, 0], 2),
    ([1, 1, 1], 10),
    ([0.5, 2, 0, 3, 1], 4),
]

ORDERS = [[0], [0, 1], [1, 0], [2, 0, 1], [0, 3, 2, 1], [4, 3, 2, 1, 0], [1, 2, 3, 4, 5, 0], [3, 5, 0, 1, 4, 2, 6]]


def normal(text):
    text = "".join(c for c in text.lower() if c not in set(string.punctuation))
    return " ".join(re.sub(r"\b(?:the|an|a)\b", " ", text).split())


def is_left_out(c):
    """Chinese punctuation on LongBench's list: the marks of these blocks but those it forgot."""
    wide = "\u3000" <= c <= "\u303f" or "\uff01" <= c <= "\uff65" or "\u2013" <= c <= "\u2027" or c == "\ufe4f"
    forgotten = "\u2015\u2016\u2017\u201a\u2020\u2021\u2022\u2023\u2024\u2025"
    forgotten += "\u3000\u3004\u3005\u3006\u3007\u3008\u3009\u300a\u3012\u3013\uff0e\uff65"
    numeral = "\u3020" <= c <= "\u302f" or "\u3031" <= c <= "\u303d"
    return wide and c not in forgotten and not numeral and not unicodedata.category(c).startswith(("L", "N"))


def normal_chinese(text):
    text = "".join(c for c in text.lower() if c not in string.punctuation and not is_left_out(c))
    return "".join(text.split())


def f1(a, b):
    same = sum((Counter(a) & Counter(b)).values())
    return 2 * same / (len(a) + len(b)) if same else 0.0


def rouge(a, b):
    try:
        score = Rouge().get_scores([a], [b])[0]
    except ValueError:
        return [[0.0] * 3] * 3
    return [[score[name][part] for part in "prf"] for name in ("rouge-1", "rouge-2", "rouge-l")]


def cut(text):
    return list(jieba.cut(text, cut_all=False))


def sentence_bleu(a, golds, tokenize):
    return sacrebleu.sentence_bleu(a, golds, tokenize=tokenize).score / 100


def corpus_bleu(corpus, tokenize):
    most = max(len(golds) for _, golds in corpus)
    golds = [[golds[i] if i < len(golds) else None for _, golds in corpus] for i in range(most)]
    return sacrebleu.corpus_bleu([a for a, _ in corpus], golds, tokenize=tokenize).score / 100


def bleu_of_order(a, gold, n):
    a, gold = a.split(), gold.split()
    said = Counter(zip(*[a[i:] for i in range(n)]))
    right = sum((said & Counter(zip(*[gold[i:] for i in range(n)]))).values())
    short = 0.0 if not a else math.exp(min(0.0, 1 - len(gold) / len(a)))
    return short * right / max(1, sum(said.values()))


def edit(a, b):
    if a == b:
        return 1.0
    return 0.0 if not a or not b else round(fuzz.ratio(a, b)) / 100


def code_line(text):
    return next((line for line in text.lstrip("\n").split("\n") if not re.search("`|#|//", line)), "")


def classification(a, gold, classes):
    named = [name for name in classes if name in a]
    for name in named:  # the list shrinks while it is walked, as in the published scorer
        if name != gold and name in gold:
            named.remove(name)
    return 1 / len(named) if gold in named else 0.0


def count(a, gold):
    found = re.findall(r"\d+", a)
    return found.count(gold) / len(found) if found else 0.0


def retrieval(a, gold):
    return count(a, re.search(r"(?:Paragraph |段落)(\d+)", gold)[1])


def first_two_alike(gains, k):
    def dcg(values):
        values = np.asarray(values, dtype=float)[:k]
        return values[0] + np.sum(values[1:] / np.log2(np.arange(2, values.size + 1)))

    best = dcg(sorted(gains, reverse=True))
    return float(dcg(gains) / best) if best else 0.0


def usual(gains, k):
    return float(ndcg_score([gains], [list(range(len(gains), 0, -1))], k=k)) if any(gains) else 0.0


def displacement(order):
    n, places = len(order), list(order)
    apart = [abs(p - i) for i, p in enumerate(places)]
    swaps = 0
    for i in range(n):  # exchanging the right thing into each place takes the fewest
        if places[i] != i:
            j = places.index(i)
            places[i], places[j], swaps = places[j], places[i], swaps + 1
    places, distance = list(order), 0
    while places != sorted(places):
        gains = {
            (i, j): (abs(places[i] - i) + abs(places[j] - j) - abs(places[j] - i) - abs(places[i] - j)) / (j - i)
            for i in range(n)
            for j in range(i + 1, n)
        }
        i, j = max(gains, key=gains.get)
        places[i], places[j], distance = places[j], places[i], distance + j - i
    return [sum(a * a for a in apart) / n, sum(apart) / n, float(swaps), float(distance)]


def tau(order):
    return float(kendalltau(range(len(order)), order).statistic) if len(order) > 1 else 1.0


def pair(a, b):
    return {
        "answer": a,
        "gold": b,
        "f1": f1(normal(a).split(), normal(b).split()),
        "f1_chinese": f1(*([w for w in map(normal_chinese, cut(t)) if w] for t in (a, b))),
        "f1_characters": f1(normal_chinese(a), normal_chinese(b)),
        "rouge": rouge(a, b),
        "rouge_l_chinese": rouge(" ".join(cut(a)), " ".join(cut(b)))[2],
        "bleu": [sentence_bleu(a, [b], "13a"), sentence_bleu(a, [b], "zh")],
        "bleu_of_order": [bleu_of_order(a, b, n) for n in (1, 2, 4)],
        "edit": edit(a, b),
    }


if __name__ == "__main__":
    fixture = {
        "_": "By scripts/golden/eval_metrics.py.",
        "pairs": [pair(a, b) for a, b in PAIRS],
        "segmented": [{"text": text, "words": cut(text)} for text in SEGMENT],
        "edits": [[a, b, edit(a, b)] for a, b in EDITS],
        "code": [[a, b, edit(code_line(a), b)] for a, b in CODE],
        "classes": [[a, gold, classes, classification(a, gold, classes)] for a, gold, classes in CLASSES],
        "counts": [[a, gold, count(a, gold)] for a, gold in NUMBERS],
        "retrieval": [[a, gold, retrieval(a, gold)] for a, gold in RETRIEVAL],
        "corpora": [
            {"answers": c, "western": corpus_bleu(c, "13a"), "chinese": corpus_bleu(c, "zh")} for c in CORPORA
        ],
        "ndcg": [[gains, k, usual(gains, k), first_two_alike(gains, k)] for gains, k in GAINS],
        "orders": [[order, tau(order), displacement(order)] for order in ORDERS],
    }
    FIXTURE.parent.mkdir(parents=True, exist_ok=True)
    FIXTURE.write_text(json.dumps(fixture, ensure_ascii=False, indent=0) + "\n")
