"""Tiny random encoders of the families that become trunks, as a model hub would keep them."""

from __future__ import annotations

from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from tests.unit.tiny_trunk import VOCABULARY, tokenizer_json

SIZES = {
    "vocab_size": len(VOCABULARY),
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "pad_token_id": 0,
}
FAMILIES = {
    "bert": ("BertConfig", {"max_position_embeddings": 64}),
    "xlm-roberta": ("XLMRobertaConfig", {"max_position_embeddings": 65}),
    "deberta-v2": (
        "DebertaV2Config",
        {
            "max_position_embeddings": 64,
            "relative_attention": True,
            "position_buckets": 16,
            "pos_att_type": ["p2c", "c2p"],
            "norm_rel_ebd": "layer_norm",
            "share_att_key": True,
            "type_vocab_size": 0,
            "position_biased_input": False,
        },
    ),
    "modernbert": (
        "ModernBertConfig",
        {
            "max_position_embeddings": 64,
            "local_attention": 8,
            "cls_token_id": 2,
            "sep_token_id": 3,
            "bos_token_id": 2,
            "eos_token_id": 3,
        },
    ),
}


def save_model(family: str, folder: Path) -> Path:
    name, extra = FAMILIES[family]
    torch.manual_seed(0)
    config = getattr(transformers, name)(**(SIZES | extra))
    transformers.AutoModel.from_config(config).save_pretrained(folder)
    tokenizer = Tokenizer.from_str(tokenizer_json().decode())
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    ).save_pretrained(folder)
    return folder
