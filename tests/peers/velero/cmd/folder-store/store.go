package main

import (
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// unfinished marks an object that is still being written; listings leave it out.
const unfinished = ".unfinished-"

type store struct {
	root string
}

func (s *store) Init(config map[string]string) error {
	if config["path"] == "" {
		return errors.New("the storage location's config has no path")
	}
	s.root = config["path"]
	return os.MkdirAll(s.root, 0o755)
}

func (s *store) path(bucket, key string) string {
	return filepath.Join(s.root, bucket, filepath.FromSlash(key))
}

// PutObject renames a complete file into place: a reader never meets half an object.
func (s *store) PutObject(bucket, key string, body io.Reader) error {
	target := s.path(bucket, key)
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(target), unfinished)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, body)
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return os.Rename(file.Name(), target)
}

func (s *store) ObjectExists(bucket, key string) (bool, error) {
	_, err := os.Stat(s.path(bucket, key))
	if os.IsNotExist(err) {
		return false, nil
	}
	return err == nil, err
}

func (s *store) GetObject(bucket, key string) (io.ReadCloser, error) {
	return os.Open(s.path(bucket, key))
}

func (s *store) ListObjects(bucket, prefix string) ([]string, error) {
	var keys []string
	root := s.path(bucket, "")
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if os.IsNotExist(err) { // deleted meanwhile, or nothing was ever stored
			return nil
		}
		if err != nil || entry.IsDir() || strings.HasPrefix(entry.Name(), unfinished) {
			return err
		}
		key, err := filepath.Rel(root, path)
		if key = filepath.ToSlash(key); err == nil && strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
		return err
	})
	slices.Sort(keys)
	return keys, err
}

func (s *store) ListCommonPrefixes(bucket, prefix, delimiter string) ([]string, error) {
	keys, err := s.ListObjects(bucket, prefix)
	var prefixes []string
	for _, key := range keys {
		if head, _, found := strings.Cut(key[len(prefix):], delimiter); found {
			prefixes = append(prefixes, prefix+head+delimiter)
		}
	}
	return slices.Compact(prefixes), err
}

func (s *store) DeleteObject(bucket, key string) error {
	return os.Remove(s.path(bucket, key))
}

func (s *store) CreateSignedURL(bucket, key string, _ time.Duration) (string, error) {
	return (&url.URL{Scheme: "file", Path: s.path(bucket, key)}).String(), nil
}
