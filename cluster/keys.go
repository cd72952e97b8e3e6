package cluster

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// keyName is the YAML key of a struct field.
func keyName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	return name
}

// isRequired: a field without omitempty must be written.
func isRequired(f reflect.StructField) bool {
	return !strings.Contains(f.Tag.Get("yaml"), ",omitempty")
}

func keyNames(t reflect.Type) []string {
	var names []string
	for _, f := range reflect.VisibleFields(t) {
		names = append(names, keyName(f))
	}
	slices.Sort(names)
	return names
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// allowedKeys is the hint for an unknown key: the one that was probably meant, and all there are.
func allowedKeys(got string, t reflect.Type) string {
	return didYouMean(got, keyNames(t)) + "allowed here: " + strings.Join(keyNames(t), ", ")
}

// allowed is the hint for a value that is none of a list.
func allowed[S ~string](got string, values []S) string {
	names := make([]string, len(values))
	for i, v := range values {
		names[i] = string(v)
	}
	return didYouMean(got, names) + "allowed: " + strings.Join(names, ", ")
}

func didYouMean(got string, names []string) string {
	best, distance := "", 3
	for _, name := range names {
		if d := editDistance(strings.ToLower(got), strings.ToLower(name)); d < distance && d < len(name) {
			best, distance = name, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %q? ", best)
}

// editDistance is Levenshtein's, over bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
