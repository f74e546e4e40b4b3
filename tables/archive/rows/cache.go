package rows

import (
	"container/list"
	"sync"
)

// cache keeps what was read of files, up to so many bytes; what was asked for
// longest ago makes way.
type cache[K comparable, V any] struct {
	budget int64

	mu    sync.Mutex
	bytes int64
	of    map[K]*list.Element
	used  list.List // of *cached, what was asked for last first
}

type cached[K comparable, V any] struct {
	key   K
	value V
	bytes int64
}

func (c *cache[K, V]) get(key K) (v V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.of[key]
	if !ok {
		return v, false
	}
	c.used.MoveToFront(e)
	return e.Value.(*cached[K, V]).value, true
}

func (c *cache[K, V]) has(key K) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.of[key]
	return ok
}

// put keeps a value, unless it is larger than the whole.
func (c *cache[K, V]) put(key K, v V, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, twice := c.of[key]; twice || bytes > c.budget {
		return
	}
	for c.bytes += bytes; c.bytes > c.budget; {
		oldest := c.used.Remove(c.used.Back()).(*cached[K, V])
		delete(c.of, oldest.key)
		c.bytes -= oldest.bytes
	}
	if c.of == nil {
		c.of = map[K]*list.Element{}
	}
	c.of[key] = c.used.PushFront(&cached[K, V]{key, v, bytes})
}
