package rows

import "testing"

func TestCache(t *testing.T) {
	c := cache[string, int]{budget: 10}
	has := func(key string, want bool) {
		t.Helper()
		if _, ok := c.get(key); ok != want {
			t.Errorf("%s: %v", key, ok)
		}
	}
	c.put("a", 1, 4)
	c.put("b", 2, 4)
	has("a", true)
	c.put("c", 3, 4) // b was asked for longest ago
	has("b", false)
	has("a", true)
	has("c", true)
	c.put("large", 4, 11)
	has("large", false)
	has("a", true)
	c.put("d", 5, 10)
	has("a", false)
	has("d", true)
	c.put("d", 6, 10)
	if v, _ := c.get("d"); v != 5 || c.bytes != 10 || c.used.Len() != 1 {
		t.Errorf("%d, %d bytes, %d values", v, c.bytes, c.used.Len())
	}
}

// drop forgets all: a test's file is another one under the same name.
func (c *cache[K, V]) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.of)
	c.used.Init()
	c.bytes = 0
}
