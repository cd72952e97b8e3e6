package vsphere

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"path"
	"strings"
	"sync"
)

// strict makes the simulator compare pushed files with the digests that were announced, as a real vCenter does: by
// itself it does so only for files that it fetches.
type strict struct {
	mu        sync.Mutex
	announced map[string]string // name -> SHA-256
	compared  map[string]string
}

const (
	announcePath = "/rest/com/vmware/content/library/item/updatesession/file/"
	dataPath     = "/rest/com/vmware/cis/data/"
)

// strict puts itself before the simulator's handlers of these two paths.
func (l *lab) strict() *strict {
	l.t.Helper()
	s := &strict{announced: map[string]string{}, compared: map[string]string{}}
	mux := l.model.Service.ServeMux
	for prefix, look := range map[string]func([]byte, string) bool{announcePath: s.announce, dataPath: s.compare} {
		request, err := http.NewRequest(http.MethodPost, prefix, nil)
		if err != nil {
			l.t.Fatal(err)
		}
		next, _ := mux.Handler(request)
		mux.HandleFunc(prefix, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil || !look(body, r.URL.Path) {
				http.Error(w, "the digest is another one", http.StatusBadRequest)
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			next.ServeHTTP(w, r)
		})
	}
	return s
}

func (s *strict) announce(body []byte, _ string) bool {
	var spec struct {
		File struct {
			Name string `json:"name"`
			Sum  struct {
				Algorithm string `json:"algorithm"`
				Checksum  string `json:"checksum"`
			} `json:"checksum_info"`
		} `json:"file_spec"`
	}
	if json.Unmarshal(body, &spec) == nil && spec.File.Sum.Algorithm == "SHA256" {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.announced[spec.File.Name] = strings.ToLower(spec.File.Sum.Checksum)
	}
	return true
}

func (s *strict) compare(body []byte, url string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum, told := s.announced[path.Base(url)]
	s.compared[path.Base(url)] = sum
	return !told || sum == Digest(body)
}

// checked is the digest with which a file was compared.
func (s *strict) checked(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.compared[name]
}
