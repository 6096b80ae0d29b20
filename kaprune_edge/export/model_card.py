"""The README.md of a deployment."""

import jinja2

from kaprune_runtime.kinds import QUESTIONS, TEXT, TOKENS

__all__ = ["render"]

_TEMPLATE = """\
---
library_name: onnx
pipeline_tag: {{ kind }}
tags: [onnx, onnxruntime, pruned, sparse, kaprune-edge]
---
# {{ title }}

A model for {{ kind | replace("-", " ") }} in one portable sparse ONNX file
({{ "%.1f" | format(file_bytes / 1e6) }} MB), exported by kaprune-edge from `{{ source }}` for {{ machine }}.

| | |
| --- | --- |
| labels | {{ labels | join(", ") }} |
| packed matrices | {{ packed }} |
| weights removed from them | {{ "%.1f" | format(100 * sparsity) }} % |
| largest difference of a logit from the source | {{ "%.1e" | format(parity) }} |
{% for part, kind in rounded.items() -%}
| {{ part }} | {{ kind }} |
{% endfor -%}
{% if rounded -%}
| largest difference of a logit after quantization | {{ "%.1e" | format(rounding) }} |
{% endif -%}
{% for name, value in metrics.items() -%}
| {{ name }}{{ before }} | {{ "%.4g" | format(value) }} |
{% endfor %}
{%- if metrics and before %}
Scores were measured{{ before }}. What this file itself scores, `kaprune-edge evaluate` tells.
{% endif %}
## Use

On any ONNX Runtime from 1.20, with `pip install onnxruntime tokenizers`:

```python
import numpy as np, onnxruntime
from tokenizers import Tokenizer

tokenizer = Tokenizer.from_file("tokenizer.json")
tokenizer.enable_truncation({{ longest }}{% if cut_left %}, direction="left"{% endif %})
text = tokenizer.encode({{ texts }})
session = onnxruntime.InferenceSession("model.onnx")
types = {{ "text.type_ids" if token_types else "[0] * len(text.ids)" }}
given = {"input_ids": text.ids, "attention_mask": text.attention_mask, "token_type_ids": types}
feeds = {node.name: np.array([given[node.name]], np.int64) for node in session.get_inputs()}
{{ outputs }} = session.run(None, feeds)
```

With Optimum: `{{ optimum }}.from_pretrained(folder)`. With kaprune-edge-runtime:
`kaprune_runtime.{{ use }}`.

`kaprune.json` records the sparsity and block shape of every layer, where the bytes go, and the sha256
of every file.
"""

_USES = {
    TEXT: {
        "texts": '"A fine film."',
        "outputs": "(logits,)",
        "optimum": "ORTModelForSequenceClassification",
        "use": 'Classifier(folder)(["A fine film."])',
    },
    TOKENS: {
        "texts": '"Ada Lovelace lived in London."',
        "outputs": "(logits,)",
        "optimum": "ORTModelForTokenClassification",
        "use": 'TokenClassifier(folder)(["Ada Lovelace lived in London."])',
    },
    QUESTIONS: {
        "texts": '"Who wrote it?", "Ada Lovelace wrote it."',
        "outputs": "start_logits, end_logits",
        "optimum": "ORTModelForQuestionAnswering",
        "use": 'QuestionAnswerer(folder)(["Who wrote it?"], ["Ada Lovelace wrote it."])',
    },
}


def render(kind: str, **facts: object) -> str:
    """Write the card.

    Args:
        kind: What the model is for; see `kaprune_runtime.kinds`.
        facts: title, source, machine, file_bytes, labels, packed, sparsity, parity, rounded, rounding,
            metrics, longest, cut_left, token_types, trimmed.
    """
    happened = {"the vocabulary was trimmed": facts["trimmed"], "weights were rounded": facts["rounded"]}
    changes = " and ".join(what for what, so in happened.items() if so)
    before = f" before {changes}" if changes else ""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    return environment.from_string(_TEMPLATE).render(kind=kind, before=before, **_USES[kind], **facts)
