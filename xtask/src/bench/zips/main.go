// Zips makes many modules of real source text, or hashes the zips of such a tree as go does.
//
//	zips make BYTES SOURCE TREE   modules of BYTES in all, from the files below SOURCE
//	zips hash TREE                dirhash.HashZip of each zip, GOMAXPROCS at once
package main

import (
	"archive/zip"
	"compress/flate"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
)

func main() {
	log.SetFlags(0)
	switch {
	case len(os.Args) == 5 && os.Args[1] == "make":
		want, err := strconv.ParseInt(os.Args[2], 10, 64)
		if err != nil {
			log.Fatal(err)
		}
		generate(want, os.Args[3], os.Args[4])
	case len(os.Args) == 3 && os.Args[1] == "hash":
		hash(os.Args[2])
	default:
		log.Fatal("usage: zips make BYTES SOURCE TREE | zips hash TREE")
	}
}

// Each module gets the files of some folders, between a few and a few hundred.
func generate(want int64, source, tree string) {
	var files []string
	err := filepath.WalkDir(source, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == "testdata" {
			return filepath.SkipDir
		}
		name, _ := filepath.Rel(source, path)
		if d.Type().IsRegular() && strings.HasSuffix(path, ".go") && module.CheckFilePath(filepath.ToSlash(name)) == nil {
			files = append(files, name)
		}
		return nil
	})
	if err != nil || len(files) < 1000 {
		log.Fatal("too few files: ", len(files), " ", err)
	}
	numbers := make(chan int)
	var done int64
	var lock sync.Mutex
	var group sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		group.Add(1)
		go func() {
			defer group.Done()
			for n := range numbers {
				size := one(n, source, files, tree)
				lock.Lock()
				done += size
				lock.Unlock()
			}
		}()
	}
	for n := 0; ; n++ {
		lock.Lock()
		enough := done >= want
		lock.Unlock()
		if enough {
			break
		}
		numbers <- n
	}
	close(numbers)
	group.Wait()
}

func one(n int, source string, files []string, tree string) int64 {
	path, version := fmt.Sprintf("bench.test/team%d/module%d", n%17, n), fmt.Sprintf("v1.%d.0", n%9)
	folder := filepath.Join(tree, filepath.FromSlash(path), "@v")
	check(os.MkdirAll(folder, 0o755))
	base := filepath.Join(folder, version)
	name := base + ".zip"
	out, err := os.Create(name)
	check(err)
	writer := zip.NewWriter(out)
	writer.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.DefaultCompression) })
	prefix := path + "@" + version + "/"
	add := func(name string, content []byte) {
		w, err := writer.Create(prefix + name)
		check(err)
		_, err = w.Write(content)
		check(err)
	}
	mod := []byte("module " + path + "\n\ngo 1.21\n")
	add("go.mod", mod)
	// Sizes as they come: most modules are small, a few are large.
	count := []int{8, 20, 40, 90, 15, 400, 30, 60}[n%8]
	start := (n * 7919) % len(files)
	for i := range count {
		file := files[(start+i)%len(files)]
		content, err := os.ReadFile(filepath.Join(source, file))
		check(err)
		// Of its own, so that no two modules hold the same file.
		add(filepath.ToSlash(file), append(content, fmt.Sprintf("\n// %d\n", n)...))
	}
	check(writer.Close())
	info, err := out.Stat()
	check(err)
	check(out.Close())
	h1, err := dirhash.HashZip(name, dirhash.Hash1)
	check(err)
	check(os.WriteFile(base+".mod", mod, 0o644))
	check(os.WriteFile(base+".ziphash", []byte(h1), 0o644))
	check(os.WriteFile(base+".info", []byte(fmt.Sprintf("{\"Version\":%q}", version)), 0o644))
	check(os.WriteFile(filepath.Join(folder, "list"), []byte(version+"\n"), 0o644))
	return info.Size()
}

func hash(tree string) {
	zips := make(chan string)
	var group sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		group.Add(1)
		go func() {
			defer group.Done()
			for name := range zips {
				h1, err := dirhash.HashZip(name, dirhash.Hash1)
				check(err)
				said, err := os.ReadFile(strings.TrimSuffix(name, "zip") + "ziphash")
				check(err)
				if h1 != string(said) {
					log.Fatal(name, ": ", h1)
				}
			}
		}()
	}
	check(filepath.WalkDir(tree, func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".zip") {
			zips <- path
		}
		return err
	}))
	close(zips)
	group.Wait()
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
