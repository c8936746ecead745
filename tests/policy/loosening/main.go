// Says which of the module paths each list of patterns matches, as the go command finds out.
package main

import (
	"encoding/json"
	"os"

	"golang.org/x/mod/module"
)

func main() {
	var asked struct{ Lists, Paths []string }
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		panic(err)
	}
	answer := [][]int{}
	for _, path := range asked.Paths {
		if err := module.CheckPath(path); err != nil {
			panic(err)
		}
	}
	for _, list := range asked.Lists {
		found := []int{}
		for i, path := range asked.Paths {
			if module.MatchPrefixPatterns(list, path) {
				found = append(found, i)
			}
		}
		answer = append(answer, found)
	}
	json.NewEncoder(os.Stdout).Encode(answer)
}
