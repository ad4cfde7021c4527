"""A teacher that transformers loads sees the documents of a window apart, as the student does."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, models

from workers.training.teacher_model import ForeignTeacher, TeacherShape


def test_a_foreign_teacher_sees_each_document_alone(tmp_path: Path) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(2)
    config = LlamaConfig(
        vocab_size=50, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, initializer_range=0.3, max_position_embeddings=64,
    )  # fmt: skip
    model = LlamaForCausalLM(config).eval()
    model.save_pretrained(tmp_path)
    words = {f"w{number}": number for number in range(50)}
    PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="w0"))).save_pretrained(
        tmp_path
    )
    teacher = ForeignTeacher(tmp_path, torch.device("cpu"), with_attention=True)
    assert (teacher.shape, teacher.num_rows) == (TeacherShape(2, 4, 32), 50)
    assert teacher.vocabulary == words
    tokens = torch.randint(50, (1, 20))
    documents = torch.tensor([[0] * 8 + [1] * 12])
    lesson = teacher.look(tokens, documents, {0, 1}, {1})
    with torch.no_grad():
        parts = [model(tokens[:, rows], output_hidden_states=True) for rows in (slice(0, 8), slice(8, 20))]
    product = lesson.logits.hidden @ lesson.logits.head.T
    torch.testing.assert_close(product, torch.cat([part.logits for part in parts], 1), rtol=1e-4, atol=1e-4)
    for layer in (0, 1):
        alone = torch.cat([part.hidden_states[layer + 1] for part in parts], 1)
        torch.testing.assert_close(lesson.hidden[layer], alone, rtol=1e-4, atol=1e-4)
    rows = lesson.attention[1]
    assert rows.shape == (1, 4, 20, 20)
    torch.testing.assert_close(rows.sum(-1), torch.ones(1, 4, 20))
    assert float(rows[:, :, 8:, :8].abs().max()) == 0
