package vsphere

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/vmware/govmomi/vapi/rest"
)

// missing says whether the REST API knows no such thing.
func missing(err error) bool { return rest.IsStatusError(err, http.StatusNotFound) }

// said makes the failures of the REST API readable: it answers with a status, or with JSON that holds sentences.
func said(err error) error {
	if rest.IsStatusError(err, http.StatusForbidden) {
		return fmt.Errorf("%w\nhint: the user of GOVC_USERNAME lacks a privilege for that, see docs/vsphere.md", err)
	}
	if err == nil {
		return nil
	}
	body, refused := strings.CutPrefix(err.Error(), "400 Bad Request: ")
	var answer struct {
		Value struct {
			Messages []rest.LocalizableMessage `json:"messages"`
		} `json:"value"`
	}
	if !refused || json.Unmarshal([]byte(body), &answer) != nil || len(answer.Value.Messages) == 0 {
		return err
	}
	var words []string
	for _, m := range answer.Value.Messages {
		words = append(words, m.DefaultMessage)
	}
	return &TaskError{Words: strings.Join(words, "; ")}
}
