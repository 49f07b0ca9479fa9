"""What training and serving must do identically, without torch, transformers or grpc.

A text goes through these steps, in the trainer and in the inference service alike:

1. ``words.split_words``: the words that labels attach to, the same for every trunk.
2. ``tokenisation.TextTokenizer``: the trunk's pieces, each mapped to its word.
3. ``windows.plan_windows``: overlapping windows of pieces; every piece has one owner window.
4. ``onnx.trunk.TrunkRunner``: hidden states ("taps") of a batch of windows.
5. ``states.WordStates``: one row of taps per word, gathered from the owner windows.
6. ``onnx.bank.Bank``: B/I/O logits per word for every wanted label, in a few batched products.
7. ``decoding``: spans of words with scores; ``predictor.TextPredictor`` joins all steps.

Classifications and assertions read the same states: ``onnx.pooled.PooledBank`` gives one answer per
text or span; ``choices`` and ``assertions`` say how to ask it.

Exported models read texts by ``word_feeds`` into ``onnx.fused``, one graph of steps 4 to 6.

``manifest`` describes trunks and adapters as files with digests; ``adapter`` verifies and loads one
label's weights; ``evaluation`` counts exact spans.
"""
