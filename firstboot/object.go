package firstboot

import "slipway/firstboot/kube"

// object is any object of the API, as far as it matters here.
type object struct {
	Metadata kube.Metadata `json:"metadata"`
	Spec     nodeSpec      `json:"spec"` // of a Node
	Status   struct {
		Conditions        []kube.Condition `json:"conditions"`
		AvailableReplicas int              `json:"availableReplicas"`
		NodeInfo          struct {
			BootID string `json:"bootID"`
		} `json:"nodeInfo"`
	} `json:"status"`
}

// condition finds a condition by its type; the zero value means unknown.
func (o object) condition(kind string) kube.Condition {
	for _, c := range o.Status.Conditions {
		if c.Type == kind {
			return c
		}
	}
	return kube.Condition{}
}

// because adds a condition's own words.
func because(what string, c kube.Condition) string {
	if c.Message == "" {
		return what
	}
	return what + ": " + c.Message
}
