"""Dedup: by address, by text, by near-duplicate within each language; the first document of a cluster stays.

signer = build_signer(spec)                       # once in each worker process
signature = signer.sign(document, text)           # small and picklable
deduplicator = Deduplicator(spec, work)           # in one process; `work` is a folder of its own
deduplicator.add(signature)                       # in document order
for verdict in deduplicator.verdicts(): ...       # one for each `add`, in the same order
lines = LineIndex.open(path, spec)                # once in each worker, where `line_index()` gave a path
text, removed = lines.remove(text)                # lines that too many kept documents share are gone
"""

from workers.curation.dedup.deduplicator import Deduplicator, Verdict
from workers.curation.dedup.lines import LineIndex, Removed
from workers.curation.dedup.signature import DocumentSigner, Signature, build_signer
from workers.curation.dedup.spill import DamagedSpillError

__all__ = [
    "DamagedSpillError",
    "Deduplicator",
    "DocumentSigner",
    "LineIndex",
    "Removed",
    "Signature",
    "Verdict",
    "build_signer",
]
