"""Keys and values of a batch in buffers that grow in leaps, whose rows and slots can be dropped.

A slot is one position of the buffers; which of a row's slots count, the attention mask says. Knows
nothing of tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformers.cache_utils import Cache, CacheLayerMixin, DynamicCache, DynamicLayer

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig

LEAP = 64  # slots that a buffer grows by, beyond what is needed


class SlotLayer(CacheLayerMixin):  # type: ignore[no-untyped-call] # its hook has no types
    """One layer's keys and values, each (B, heads, slots, width); ``used`` slots hold something."""

    is_sliding = False
    keys: torch.Tensor
    values: torch.Tensor

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # transformers has no types for it
        self.used = 0

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Take shapes, dtype and device from the first states."""
        self.keys, self.values = _room(key_states, LEAP), _room(value_states, LEAP)
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append states, (B, heads, T, width); return all that is used."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        end = self.used + key_states.shape[2]
        if end > self.keys.shape[2]:
            self.keys = _put(self.keys[:, :, : self.used], _room(self.keys, end + LEAP))
            self.values = _put(self.values[:, :, : self.used], _room(self.values, end + LEAP))
        self.keys[:, :, self.used : end] = key_states
        self.values[:, :, self.used : end] = value_states
        self.used = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Return how many keys a query of this length meets, and where they begin."""
        return self.used + query_length, 0

    def get_seq_length(self) -> int:
        """Return how many slots are used."""
        return self.used

    def get_max_length(self) -> int:
        """Return -1: there is no most."""
        return -1

    def keep(self, rows: torch.Tensor, slots: torch.Tensor) -> None:
        """Keep ``rows`` (R,), and of each of them the ``slots`` (R, S) in that order."""
        self.keys, self.values = (
            _put(_chosen(states, rows, slots), _room(states[rows[:1]], slots.shape[1] + LEAP, rows))
            for states in (self.keys, self.values)
        )
        self.used = slots.shape[1]


def new_cache(config: PreTrainedConfig) -> Cache:
    """Return an empty cache for a model; see `has_slots`."""
    if has_slots(config):
        return Cache(layer_class_to_replicate=SlotLayer)
    return DynamicCache(config=config)


def has_slots(config: PreTrainedConfig) -> bool:
    """Whether every layer attends to all that came before, so that slots may be dropped.

    A layer that forgets (a sliding window, a recurrent state) has no place for each position.
    """
    return all(type(layer) is DynamicLayer for layer in DynamicCache(config=config).layers)


def keep(cache: Cache, rows: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Keep ``rows`` (R,) of a cache, and return the mask of what these still hold.

    ``mask`` (B, slots) says which slots count; where the cache has slots, the others are dropped
    but for those that make the rows equally long.
    """
    mask = mask[rows]
    if not isinstance(cache.layers[0], SlotLayer):
        cache.batch_select_indices(rows)
        return mask
    most = int(mask.sum(1).max())
    slots = mask.int().argsort(dim=1, stable=True)[:, -most:]  # those that count stand last
    for layer in cache.layers:
        assert isinstance(layer, SlotLayer), "new_cache makes no other"
        layer.keep(rows, slots)
    return mask.gather(1, slots)


def _chosen(states: torch.Tensor, rows: torch.Tensor, slots: torch.Tensor) -> torch.Tensor:
    index = slots[:, None, :, None].expand(-1, states.shape[1], -1, states.shape[3])
    return states[rows].gather(2, index)


def _room(like: torch.Tensor, slots: int, rows: torch.Tensor | None = None) -> torch.Tensor:
    batch = like.shape[0] if rows is None else len(rows)
    return like.new_zeros((batch, like.shape[1], slots, like.shape[3]))


def _put(states: torch.Tensor, room: torch.Tensor) -> torch.Tensor:
    room[:, :, : states.shape[2]] = states
    return room
