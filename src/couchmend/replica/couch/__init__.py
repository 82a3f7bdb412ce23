"""A CouchDB over HTTP as a replica."""
