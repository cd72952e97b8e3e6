package firstboot

import (
	"errors"
	"sync"
)

// refusal is a request that is left alone, and why.
type refusal struct {
	name string
	why  error
}

// serverRefusal is the API server's word against a request that the inventory vouches for.
type serverRefusal struct{ error }

// room is how many refusals may be remembered when one more comes for this reason. The server's have places that no
// flood of others can take: a request that is forgotten is only looked at again, but these would be tried again.
func room(why error) int {
	if _, ok := errors.AsType[serverRefusal](why); ok {
		return 2 * atOnce
	}
	return atOnce
}

// refusals remembers, by UID, what was refused, as long as it is there; several goroutines may use it.
type refusals struct {
	mu  sync.Mutex
	all map[string]refusal
}

// servers are the UIDs of what the server has refused so far: whoever lists requests asks before, for replace.
func (r *refusals) servers() map[string]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	uids := map[string]bool{}
	for uid, refused := range r.all {
		if _, ok := errors.AsType[serverRefusal](refused.why); ok {
			uids[uid] = true
		}
	}
	return uids
}

// replace takes a new list over, and tells of those that are new in it. What the server refused while the requests were
// listed, and so is not among those known before, may not be in the list, and stays until the next.
func (r *refusals) replace(all map[string]refusal, before map[string]bool, tell func(refusal)) {
	var fresh []refusal
	r.mu.Lock()
	for uid, refused := range r.all {
		if _, ok := errors.AsType[serverRefusal](refused.why); ok && !before[uid] && len(all) < room(refused.why) {
			all[uid] = refused
		}
	}
	for uid, refused := range all {
		if _, known := r.all[uid]; !known {
			fresh = append(fresh, refused)
		}
	}
	r.all = all
	r.mu.Unlock()
	for _, refused := range fresh {
		tell(refused)
	}
}

// add remembers and tells of one more.
func (r *refusals) add(uid string, refused refusal, tell func(refusal)) {
	r.mu.Lock()
	_, known := r.all[uid]
	fits := !known && len(r.all) < room(refused.why)
	if fits {
		if r.all == nil {
			r.all = map[string]refusal{}
		}
		r.all[uid] = refused
	}
	r.mu.Unlock()
	if fits {
		tell(refused)
	}
}

// remove forgets a request that is decided, or gone.
func (r *refusals) remove(uid string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.all, uid)
}

// byServer is the server's refusal of a request, if it has refused it.
func (r *refusals) byServer(uid string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if why, ok := errors.AsType[serverRefusal](r.all[uid].why); ok {
		return why
	}
	return nil
}

// texts are the reasons by the requests' names.
func (r *refusals) texts() map[string]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	texts := map[string]string{}
	for _, refused := range r.all {
		texts[refused.name] = refused.why.Error()
	}
	return texts
}
