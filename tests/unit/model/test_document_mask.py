"""Documents in one window do not see one another."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.model.transformer import Transformer
from workers.specs.training.model import Model

SPEC = Model(d_model=32, num_layers=4, num_heads=4, num_kv_heads=2, d_ffn=48, init_std=0.2)


@given(lengths=st.lists(st.integers(1, 12), min_size=1, max_size=4), seed=st.integers(0, 999))
@settings(max_examples=20, deadline=None)
def test_each_document_has_the_logits_of_itself_alone(lengths: list[int], seed: int) -> None:
    torch.manual_seed(seed)
    model = Transformer(SPEC, 50)
    documents = [torch.randint(50, (1, length)) for length in lengths]
    numbers = torch.cat([torch.full((1, length), 7 + i) for i, length in enumerate(lengths)], dim=1)
    with torch.no_grad():
        packed = model(torch.cat(documents, dim=1), numbers)
        alone = torch.cat([model(document) for document in documents], dim=1)
    torch.testing.assert_close(packed, alone, atol=2e-5, rtol=1e-4)


def test_without_documents_an_earlier_one_is_seen() -> None:
    torch.manual_seed(0)
    model = Transformer(SPEC, 50)
    first, second = torch.randint(50, (1, 9)), torch.randint(50, (1, 9))
    with torch.no_grad():
        together = model(torch.cat([first, second], dim=1))[:, 9:]
        alone = model(second)
    assert (together - alone).abs().max() > 1e-2
